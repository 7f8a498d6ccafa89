package ports

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spread has the Forwarder work with several relays, as on a large machine.
func (l *lab) spread(count int) { l.relays = newRelays(l.Forwarder.inside.thread, &l.work, count) }

// Bytes arrive whole and in order, in pieces of any size, though the reader is slow and both directions are in use.
func TestBytesArrive(t *testing.T) {
	l := newLab(t)
	l.spread(3)
	l.serveTCP(80, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	l.must(l.Set(box(tcp(8080, 80))))
	var all sync.WaitGroup
	for seed := range uint64(9) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			sent := make([]byte, 3<<20+random.IntN(1<<20))
			for i := range sent {
				sent[i] = byte(random.Uint32())
			}
			if got, err := l.exchange(random, sent, int(seed)); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back of %d, or others: %v", len(got), len(sent), err)
			}
		})
	}
	all.Wait()
	l.awaitNoLinks()
}

// exchange sends in pieces, up to one of 4, 16, 64, ... kB, and returns what comes back, which it reads in such pieces too.
func (l *lab) exchange(random *rand.Rand, data []byte, size int) (got []byte, err error) {
	conn, err := l.dial(l.client, "tcp", "", host4+":8080")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		return nil, err
	}
	pieces := rand.New(rand.NewPCG(random.Uint64(), 0))
	go func() {
		for left := data; len(left) > 0; {
			n := min(len(left), 1+pieces.IntN(4096<<size))
			if _, err := conn.Write(left[:n]); err != nil {
				return
			}
			left = left[n:]
		}
		_ = conn.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // it is what a dial of tcp makes
	}()
	for buf := make([]byte, 1<<16); ; {
		n, err := conn.Read(buf[:1+random.IntN(1+len(buf)>>(size%5))])
		got = append(got, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

// links are the connections of all ports.
func (l *lab) links() (count int) {
	for _, r := range l.relays.list {
		r.mu.Lock()
		count += len(r.ends) / 2
		r.mu.Unlock()
	}
	return count
}

func (l *lab) awaitNoLinks() {
	l.Helper()
	for deadline := time.Now().Add(patience); l.links() > 0; {
		if time.Now().After(deadline) {
			l.Fatalf("%d connections are left", l.links())
		}
		<-time.After(time.Millisecond)
	}
}

// Clients and services that go in any way leave nothing behind.
func TestNothingIsLeft(t *testing.T) {
	l := newLab(t)
	l.spread(2)
	l.serveTCP(80, func(c *net.TCPConn) {
		switch rand.IntN(3) {
		case 0:
			_ = c.SetLinger(0)
		case 1:
			_, _ = io.CopyN(c, c, 1<<rand.IntN(20))
		case 2:
			_, _ = io.Copy(io.Discard, c)
		}
	})
	l.must(l.Set(box(tcp(8080, 80), tcp(8081, 81))))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 25 {
				l.visit()
			}
		})
	}
	all.Wait()
	l.awaitNoLinks()
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, p := range l.ports {
		if s, ok := p.server.(*tcpServer); ok && len(s.links) > 0 {
			t.Errorf("port %s: %d connections are left", k, len(s.links))
		}
	}
	for i, r := range l.relays.list {
		if r.buf != nil || r.pipes != nil {
			t.Errorf("relay %d keeps a buffer or pipes", i)
		}
	}
}

// visit connects, sends something, and goes.
func (l *lab) visit() {
	port := []string{":8080", ":8080", ":8081"}[rand.IntN(3)] // nobody listens behind the last
	conn, err := l.dial(l.client, "tcp", "", host4+port)
	if err != nil {
		return
	}
	defer conn.Close()
	c := conn.(*net.TCPConn) //nolint:forcetypeassert // it is what a dial of tcp makes
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write(make([]byte, 1<<rand.IntN(20)))
	switch rand.IntN(3) {
	case 0:
		_ = c.SetLinger(0)
	case 1:
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
}

// A service that has said all and then goes with a reset ends the connection at once, and the client still gets what it was sent.
func TestResetAfterTheEnd(t *testing.T) {
	l := newLab(t)
	const size = 30 << 10 // which the client's buffer does not take, and the relay's does
	l.serveTCP(80, func(c *net.TCPConn) {
		_, _ = c.Write(make([]byte, size))
		_ = c.CloseWrite()
		_, _ = c.Read(make([]byte, 1))
		_ = c.SetLinger(0)
	})
	l.must(l.Set(box(tcp(8080, 80))))
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	}}
	var c net.Conn
	l.do(l.client, func() (err error) {
		c, err = d.DialContext(l.Context(), "tcp", host4+":8080")
		return err
	})
	defer c.Close()
	l.must(c.SetDeadline(time.Now().Add(patience)))
	_, err := io.ReadFull(c, make([]byte, 1))
	l.must(err)
	_, err = c.Write([]byte("x"))
	l.must(err)
	l.awaitNoLinks()
	if data, err := io.ReadAll(c); err != nil || len(data) != size-1 {
		t.Errorf("%d bytes more came, %v", len(data), err)
	}
}

// Where the process has no descriptor left, clients wait.
func TestNoDescriptorLeft(t *testing.T) {
	l := newLab(t)
	said := make(chan string, 100)
	l.log = func(text string) { said <- text }
	l.serveTCP(80, who)
	l.must(l.Set(box(tcp(8080, 80))))
	l.ask(l.client, "tcp", "", host4+":8080") // nothing else takes descriptors after it
	l.awaitNoLinks()
	var before unix.Rlimit
	l.must(unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	restore := func() { l.must(unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) }
	defer restore()
	free, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	l.must(err)
	l.must(unix.Close(free))
	l.must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(free) + 1, Max: before.Max})) // one for the client
	c, err := l.dial(l.client, "tcp", "", host4+":8080")
	l.must(err)
	defer c.Close()
	select {
	case text := <-said:
		if !strings.Contains(text, "port 8080/tcp: accept: too many open files") {
			t.Errorf("it says %q", text)
		}
	case <-time.After(patience):
		t.Error("it says nothing")
	}
	restore()
	l.must(c.SetDeadline(time.Now().Add(patience)))
	data, err := io.ReadAll(c)
	if own := peer(c.LocalAddr()); err != nil || string(data) != own {
		t.Errorf("the service sees %q, the client is %s; %v", data, own, err)
	}
}

// Where /proc/sys cannot be written, ports work, and it is said what does not.
func TestReadOnlySysctl(t *testing.T) {
	l := newLab(t)
	l.serveTCP(80, who)
	said := make(chan string, 100)
	l.log = func(text string) { said <- text }
	l.must(unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""))
	defer func() { l.must(unix.Unmount("/proc/sys", unix.MNT_DETACH)) }()
	l.must(unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	l.must(l.Set(box(tcp(8080, 80))))
	seen, _ := l.ask(l.client, "tcp", "", host4+":8080")
	if seen := netip.MustParseAddrPort(seen).Addr(); seen != box4.Addr() {
		t.Errorf("the service sees %s, want the container's own address", seen)
	}
	if text := <-said; !strings.Contains(text, "services do not see the addresses of clients") || !strings.Contains(text, "read-only") {
		t.Errorf("it says %q", text)
	}
}

// Close ends what goes through the ports, and what waits for the first socket.
func TestCloseEndsConnections(t *testing.T) {
	l := newLab(t)
	l.serveTCP(80, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	l.must(l.Set(box(tcp(8080, 80))))
	c := l.echo(host4 + ":8080")
	open, err := os.ReadDir("/proc/self/fd")
	l.must(err)
	l.must(l.Close())
	if !c.ended() {
		t.Error("the connection lives on")
	}
	after, err := os.ReadDir("/proc/self/fd")
	l.must(err)
	if len(open)-len(after) < batch { // the port, both ends, epoll, eventfd and the stock
		t.Errorf("descriptors %d -> %d", len(open), len(after))
	}
}
