package attach

import (
	"golang.org/x/sys/unix"
)

// terminal is a client's own terminal, which it has put into raw mode. If the client dies (kill -9) the monitor puts it
// back: nobody else is left who knows how it was. The monitor is in a session of its own, so the kernel does not stop it
// for changing a terminal in the background.
type terminal struct {
	fd    int    // 0: none
	saved []byte // struct termios, as the kernel has it
}

// received takes over descriptors that came with a message; only the last counts.
func (t *terminal) received(fds []int) {
	for _, fd := range fds {
		t.forget()
		t.fd = fd
	}
}

func (t *terminal) forget() {
	if t.fd != 0 {
		_ = unix.Close(t.fd)
		t.fd = 0
	}
}

func (t *terminal) putBack() {
	if t.fd == 0 {
		return
	}
	if termios, ok := decodeTermios(t.saved); ok {
		_ = unix.IoctlSetTermios(t.fd, unix.TCSETS, termios)
	}
	t.forget()
}
