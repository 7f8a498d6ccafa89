package attach

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// decodeTermios reads the bytes of a struct termios that a client on the same machine has sent.
func decodeTermios(b []byte) (*unix.Termios, bool) {
	var t unix.Termios
	if uintptr(len(b)) != unsafe.Sizeof(t) {
		return nil, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&t)), len(b)), b)
	return &t, true
}
