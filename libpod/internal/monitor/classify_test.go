package monitor

import (
	"strings"
	"testing"

	"hull.dev/hull/pkg/errs"
)

func TestRuntimeError(t *testing.T) {
	for words, want := range map[string]struct {
		exit int
		text string
	}{
		"crun: executable file `x` not found in $PATH: No such file or directory": {127, ""},
		"exec x: permission denied":                        {126, "crun: exec x: permission denied"},
		"crun: create keyring `0123`: Disk quota exceeded": {125, "kernel.keys.maxkeys"},
		"crun: mount `/x` to `/y`: Disk quota exceeded":    {125, "crun: mount `/x` to `/y`: Disk quota exceeded"},
		"runc create failed: unable to start container process: error during container init: unable to join session keyring: " +
			"unable to create session key: disk quota exceeded": {125, "keyring = false"},
	} {
		err := runtimeError("crun", words)
		if got := errs.Exit(err); got != want.exit || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v, exit %d", words, err, got)
		}
	}
}
