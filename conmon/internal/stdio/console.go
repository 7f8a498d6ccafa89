package stdio

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/internal/loop"
	"hull.dev/hull/conmon/protocol"
)

// console is the socket that the runtime sends the pty master to (runtime-spec, --console-socket). It is bound in the
// working directory, which is the monitor's Dir.
type console struct {
	loop *loop.Loop
	fd   int // -1: closed
	path string
	got  func(fd int) error
}

func listenConsole(l *loop.Loop, got func(int) error) (*console, error) {
	fd, err := Listen(protocol.ConsoleFile)
	if err != nil {
		return nil, err
	}
	c := &console{loop: l, fd: fd, got: got}
	dir, err := unix.Getwd()
	c.path = dir + "/" + protocol.ConsoleFile
	if err != nil || len(c.path) >= len(unix.RawSockaddrUnix{}.Path) {
		// The runtime puts the path into a sockaddr_un as it is; this one is short whatever Dir is.
		c.path = "/proc/" + strconv.Itoa(os.Getpid()) + "/cwd/" + protocol.ConsoleFile
	}
	return c, l.Add(fd, loop.In, func(uint32) { c.poll() })
}

// Listen makes a stream socket called name in the working directory, mode 0600; an old one goes. The name is relative so
// that it fits into a sockaddr_un.
func Listen(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	_ = unix.Unlink(name)
	mask := unix.Umask(0o177)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	unix.Umask(mask)
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, &os.PathError{Op: "listen", Path: name, Err: err}
	}
	return fd, nil
}

// Accept takes one connection; false: there is none now.
func Accept(fd int) (int, bool) {
	for {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err == nil {
			return conn, true
		}
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED) {
			return -1, false
		}
	}
}

// poll takes connections. One that has not sent the descriptor yet is watched; it is the runtime's, which sends at once.
func (c *console) poll() {
	for c.fd >= 0 {
		conn, ok := Accept(c.fd)
		if !ok {
			return
		}
		if c.receive(conn) {
			_ = unix.Close(conn)
			continue
		}
		err := c.loop.Add(conn, loop.In, func(uint32) {
			if c.receive(conn) {
				c.loop.Remove(conn)
				_ = unix.Close(conn)
			}
		})
		if err != nil {
			_ = unix.Close(conn)
		}
	}
}

// receive reports whether conn has said what it had to say.
func (c *console) receive(conn int) bool {
	var name [4096]byte // runc names the terminal, crun says little
	n, fds, err := Receive(conn, name[:])
	if loop.WouldBlock(err) {
		return false
	}
	for i, fd := range fds {
		if i > 0 || c.fd < 0 || c.got(fd) != nil {
			_ = unix.Close(fd)
		}
	}
	return n <= 0 || len(fds) > 0
}

func (c *console) close() {
	if c.fd < 0 {
		return
	}
	c.loop.Remove(c.fd)
	_ = unix.Close(c.fd)
	_ = unix.Unlink(protocol.ConsoleFile)
	c.fd = -1
}

// Receive is recvmsg(2) with at most a few descriptors, which are close-on-exec.
func Receive(fd int, p []byte) (n int, fds []int, err error) {
	var oob [64]byte
	var oobn int
	for {
		n, oobn, _, _, err = unix.Recvmsg(fd, p, oob[:], unix.MSG_CMSG_CLOEXEC)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil || oobn == 0 {
		return max(n, 0), nil, err
	}
	messages, _ := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range messages {
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return n, fds, nil
}
