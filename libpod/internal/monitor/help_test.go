package monitor

import (
	"os/exec"

	"golang.org/x/sys/unix"
)

func mkfifo(path string) error { return unix.Mkfifo(path, 0o666) }

// runtime runs the box's runtime.
func (b *box) runtime(args ...string) {
	b.t.Helper()
	out, err := exec.Command(b.req.Runtime, append([]string{"--root", b.root}, args...)...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}
