package ports

import "golang.org/x/sys/unix"

// batch is how many sockets are made at once: to go into a namespace and back costs as much as some of them.
const batch = 16

// stock are sockets that are made and not used, by domain.
type stock map[int][]int

// take returns one. When there is none it has a batch made, by calls of one from within there.
func (s stock) take(domain int, there func(func() error) error, one func(domain int) (int, error)) (fd int, err error) {
	if len(s[domain]) == 0 {
		err = there(func() error {
			for range batch {
				fd, err := one(domain)
				if err != nil {
					return err
				}
				s[domain] = append(s[domain], fd)
			}
			return nil
		})
	}
	last := len(s[domain]) - 1
	if last < 0 {
		return 0, err
	}
	fd, s[domain] = s[domain][last], s[domain][:last]
	return fd, nil
}

// close gives back what was not used.
func (s stock) close() {
	for _, fds := range s {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
	clear(s)
}
