package term

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// encode makes the bytes of a struct termios as the kernel of this machine has it in memory.
func encode(t *unix.Termios) []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.NativeEndian, t) // fixed-size fields: cannot fail
	return b.Bytes()
}
