package ports

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	spliced = 1 << 20 // bytes that a pipe is to hold; smaller ones were slower
	spares  = 4       // empty pipes that are kept
)

// pipe is one for splice(2).
type pipe struct{ out, in int }

func (p pipe) close() {
	_ = unix.Close(p.out)
	_ = unix.Close(p.in)
}

// pipes are empty.
type pipes []pipe

func (all *pipes) take() (pipe, error) {
	if last := len(*all) - 1; last >= 0 {
		p := (*all)[last]
		*all = (*all)[:last]
		return p, nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return pipe{}, os.NewSyscallError("pipe2", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, spliced) // beyond the user's limit (pipe(7)) it stays smaller
	return pipe{out: fds[0], in: fds[1]}, nil
}

func (all *pipes) keep(p pipe) {
	if len(*all) >= spares {
		p.close()
		return
	}
	*all = append(*all, p)
}

func (all *pipes) close() {
	for _, p := range *all {
		p.close()
	}
	*all = nil
}
