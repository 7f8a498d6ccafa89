package monitor

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"hull.dev/hull/pkg/errs"
)

// What the runtimes say of a command that cannot run, as podman's getOCIRuntimeError reads it. It is the one place where
// text is compared: crun and runc have no other way to tell.
var patterns = sync.OnceValue(func() [2]*regexp.Regexp {
	return [2]*regexp.Regexp{
		regexp.MustCompile(`(?i)permission denied|operation not permitted|exec format error|is a directory`),
		regexp.MustCompile(`(?i)executable file.* not found in|no such file or directory|open executable`),
	}
})

// runtimeError makes an error with the runtime's words, which begin with its name, and the exit code of podman-run(1).
func runtimeError(runtime, words string) error {
	err := errors.New(words)
	if !strings.HasPrefix(words, runtime) {
		err = errors.New(runtime + ": " + words)
	}
	if lower := strings.ToLower(words); strings.Contains(lower, "key") && strings.HasSuffix(lower, "disk quota exceeded") { // add_key(2), EDQUOT
		return fmt.Errorf("%w: each container that runs has a keyring, and the user has as many as sysctl kernel.keys.maxkeys allows:"+
			" raise that, or say keyring = false in containers.conf", err)
	}
	p := patterns()
	switch {
	case p[0].MatchString(words):
		return errs.WithExit(err, errs.ExitNotExecutable)
	case p[1].MatchString(words):
		return errs.WithExit(err, errs.ExitNotFound)
	}
	return err
}
