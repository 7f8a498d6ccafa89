package ports

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// socket makes one in the thread's namespace that does not block.
func socket(domain, kind int) (fd int, err error) {
	fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

// connect begins to connect a socket, from an address if one is given.
func connect(fd int, from, to netip.AddrPort) error {
	if from.IsValid() {
		if err := unix.Bind(fd, sockaddr(from)); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// option is one of a socket, as setsockopt(2) takes it.
type option struct{ level, name, value int }

func setAll(fd int, options []option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// transparent lets a socket have an address that its namespace has not (ip(7), IP_TRANSPARENT).
func transparent(domain int) option {
	if domain == unix.AF_INET {
		return option{unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1}
	}
	return option{unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1}
}

func domainOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
