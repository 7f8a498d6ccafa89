package protocol

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"time"
)

// Type is the first byte of a frame; four bytes of length (big endian) and the payload follow.
type Type byte

// The frames. C: sent by an owner or attacher; M: by the monitor.
const (
	FrameRequest   Type = 'q' // C: Request.Encode; once, first, owner only
	FrameHello     Type = 'h' // C: Hello; once, first, attacher only
	FrameStdin     Type = 'i' // C: bytes for the container
	FrameStdinEOF  Type = 'e' // C: no more of them; closes the container's stdin unless it is a terminal
	FrameResize    Type = 'w' // C: Size
	FrameDetach    Type = 'd' // C: the connection ends on purpose; stdin stays open
	FrameNoRestart Type = 'n' // C: a stop is coming, the next exit is the last, and who stays connected cleans up; M: agreed
	FrameCleaned   Type = 'c' // C: who meant to has cleaned up
	FrameTerminal  Type = 't' // C: a descriptor (SCM_RIGHTS) of the client's terminal, and its termios before raw mode
	FrameRestored  Type = 'r' // C: the client has put its terminal back
	FrameStdout    Type = 'o' // M: bytes of the container
	FrameStderr    Type = 'E' // M: bytes of the container
	FrameStarted   Type = 's' // M: pid as 4 bytes
	FrameFailed    Type = 'f' // M: why the start failed, in the runtime's words
	FrameRefused   Type = 'F' // M: why the start failed, in the monitor's words: the runtime was not the cause
	FrameExited    Type = 'x' // M: Exit
	FrameDropped   Type = '!' // M: why this connection ends although the container goes on
)

// Limits of the wire.
const (
	HeaderSize = 5
	MaxPayload = 64 << 10 // of any frame but FrameRequest
	MaxRequest = 8 << 20
)

// AppendHeader appends the header of a frame with n bytes of payload.
func AppendHeader(b []byte, t Type, n int) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(t)), uint32(n))
}

// AppendFrame appends a whole frame.
func AppendFrame(b []byte, t Type, payload []byte) []byte {
	return append(AppendHeader(b, t, len(payload)), payload...)
}

// ParseHeader reads the first HeaderSize bytes of b.
func ParseHeader(b []byte) (Type, int, error) {
	t, n := Type(b[0]), binary.BigEndian.Uint32(b[1:HeaderSize])
	if n > MaxRequest || (n > MaxPayload && t != FrameRequest) {
		return 0, 0, errors.New("frame " + strconv.Quote(string(rune(t))) + " of " + strconv.FormatUint(uint64(n), 10) + " bytes")
	}
	return t, int(n), nil
}

// Reader reads frames from a blocking connection.
type Reader struct {
	r   io.Reader
	buf []byte
	at  int // start of what is unread in buf
}

// firstRoom is enough for those who want no output: they get a handful of short frames.
const firstRoom = 1 << 10

// NewReader makes a Reader on r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: r, buf: make([]byte, 0, firstRoom)}
}

// Next returns the next frame. The payload is valid until the next call. io.EOF comes between frames alone.
func (r *Reader) Next() (Type, []byte, error) {
	if err := r.fill(HeaderSize); err != nil {
		return 0, nil, err
	}
	t, n, err := ParseHeader(r.buf[r.at:])
	if err != nil {
		return 0, nil, err
	}
	if err := r.fill(HeaderSize + n); err != nil {
		return 0, nil, noEOF(err)
	}
	payload := r.buf[r.at+HeaderSize : r.at+HeaderSize+n]
	r.at += HeaderSize + n
	return t, payload, nil
}

// fill makes at least n unread bytes present.
func (r *Reader) fill(n int) error {
	if len(r.buf)-r.at >= n {
		return nil
	}
	if cap(r.buf)-r.at < n {
		to := r.buf[:0]
		if cap(r.buf) < n {
			to = make([]byte, 0, max(n, HeaderSize+MaxPayload))
		}
		r.buf, r.at = append(to, r.buf[r.at:]...), 0
	}
	for len(r.buf)-r.at < n {
		got, err := r.r.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+got]
		if got == 0 && err != nil {
			if len(r.buf) > r.at {
				return noEOF(err)
			}
			return err
		}
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var errPayload = errors.New("frame with a payload of the wrong length")

// Hello says what an attacher wants. Nothing set is a control connection: it resizes, asks, or waits for the exit.
type Hello struct {
	Stdin, Stdout, Stderr bool
}

// Append appends the payload.
func (h Hello) Append(b []byte) []byte {
	var flags byte
	for i, set := range []bool{h.Stdin, h.Stdout, h.Stderr} {
		if set {
			flags |= 1 << i
		}
	}
	return append(b, Version, flags)
}

// ParseHello reads the payload of FrameHello.
func ParseHello(b []byte) (Hello, error) {
	if len(b) != 2 {
		return Hello{}, errPayload
	}
	if b[0] != Version {
		return Hello{}, errors.New("attacher speaks another version")
	}
	return Hello{Stdin: b[1]&1 != 0, Stdout: b[1]&2 != 0, Stderr: b[1]&4 != 0}, nil
}

// Size is that of a terminal, in characters.
type Size struct {
	Height, Width uint16
}

// Append appends the payload.
func (s Size) Append(b []byte) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, s.Height), s.Width)
}

// ParseSize reads the payload of FrameResize.
func ParseSize(b []byte) (Size, error) {
	if len(b) != 4 {
		return Size{}, errPayload
	}
	return Size{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}, nil
}

// AppendPID appends the payload of FrameStarted.
func AppendPID(b []byte, pid int) []byte { return binary.BigEndian.AppendUint32(b, uint32(pid)) }

// ParsePID reads the payload of FrameStarted.
func ParsePID(b []byte) (int, error) {
	if len(b) != 4 {
		return 0, errPayload
	}
	return int(binary.BigEndian.Uint32(b)), nil
}

// Exit is how a process ended.
type Exit struct {
	Code     int // 128+signal when a signal ended it
	At       time.Time
	OOM      bool
	Restarts int
}

// Append appends the payload.
func (e Exit) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(int32(e.Code)))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixNano()))
	b = binary.BigEndian.AppendUint32(b, uint32(e.Restarts))
	if e.OOM {
		return append(b, 1)
	}
	return append(b, 0)
}

// ParseExit reads the payload of FrameExited.
func ParseExit(b []byte) (Exit, error) {
	if len(b) != 17 {
		return Exit{}, errPayload
	}
	return Exit{
		Code:     int(int32(binary.BigEndian.Uint32(b))),
		At:       time.Unix(0, int64(binary.BigEndian.Uint64(b[4:]))),
		Restarts: int(binary.BigEndian.Uint32(b[12:])),
		OOM:      b[16] != 0,
	}, nil
}
