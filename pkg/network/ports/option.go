package ports

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

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
