// Package server is hull-net: it puts containers on networks and takes them off again, as hull asks (pkg/network/wire), and
// holds what lives as long as they do: the namespace of the bridges, the way out, the names, the published ports.
//
// What it knows of a container is in a file before the first step of it is done. One that is killed leaves links, rules
// and sockets of the kernel behind; the next reads the files and makes what is missing.
package server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/lockfile"
	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
	"hull.dev/hull/pkg/network/bridge"
	"hull.dev/hull/pkg/network/filter"
	"hull.dev/hull/pkg/network/lease"
	"hull.dev/hull/pkg/network/names"
	"hull.dev/hull/pkg/network/ports"
	"hull.dev/hull/pkg/network/wire"
)

// linger is how long hull-net stays when the last container has left: the next one often comes soon.
const linger = 2 * time.Second

// uplinkMTU is what passes through each way out in one piece (pasta(1), slirp4netns(1): --mtu): the larger, the faster.
const uplinkMTU = 65520

// Options say where hull-net works.
type Options struct {
	Dir        string   // wire's folder
	Root       bool     // in the host's own network namespace
	Uplink     string   // mode of the way out (pkg/network/uplink); "": the best that there is; not as root
	Program    string   // of this process, for the built-in way out
	Command    []string // of this process: the built-in way out starts the next when this one has died; may be empty
	ResolvConf string   // of the host
	DNSPort    uint16
	Table      string // name of the nftables tables; "": hull
	Done       func() // called after each request; may be nil
}

// Server is a hull-net at work.
type Server struct {
	options Options
	inside  *netns.Thread
	links   *bridge.Links
	table   *filter.Table
	names   *names.Server
	ports   *ports.Forwarder
	leases  *lease.Keeper
	way     *way
	log     *log.Logger

	mu       sync.Mutex
	attached map[string]*network.Attachment // by container
	leaving  map[string]bool                // those of them whose links are being taken away
	left     *sync.Cond                     // on mu: one of them is gone
	work     sync.WaitGroup                 // what takes them away
	networks map[string]*use                // by id
	devices  map[netip.Addr]string          // what listener has
	visitors int                            // processes in the namespace that are no containers
	idle     *time.Timer                    // nil while there is a container or a visitor
	closing  bool
	ended    chan struct{} // closed when it has nothing to do any more
}

// use is a network that containers are on.
type use struct {
	network network.Network
	made    bool          // there is a bridge; else only what was given out is remembered
	last    lastAddresses // that were given out
}

// errBusy means that another hull-net serves the folder.
var errBusy = errors.New("another hull-net runs")

// Run serves until no container has been attached for a while, or ctx ends. It returns nil at once where another hull-net
// serves the folder.
func Run(ctx context.Context, o Options) error {
	s, lock, err := open(o)
	if errors.Is(err, errBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	defer s.close()
	if err := s.restore(ctx); err != nil {
		return err
	}
	listener, err := s.listen()
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, s.end)
	go func() {
		<-s.ended
		_ = listener.Close() // takes the socket away: who comes from now on starts the next
	}()
	return s.serve(ctx, listener)
}

func open(o Options) (*Server, *lockfile.Lock, error) {
	lock, err := lockfile.Dir(o.Dir).TryLock(wire.Lock)
	if errors.Is(err, lockfile.ErrBusy) {
		return nil, nil, errBusy
	}
	if err != nil {
		return nil, nil, err
	}
	s := &Server{
		options: o, attached: map[string]*network.Attachment{}, leaving: map[string]bool{}, networks: map[string]*use{},
		devices: map[netip.Addr]string{}, ended: make(chan struct{}),
	}
	s.left = sync.NewCond(&s.mu)
	if err := s.begin(); err != nil {
		lock.Unlock()
		return nil, nil, err
	}
	return s, lock, nil
}

// begin opens what the work is done with.
func (s *Server) begin() error {
	path := ""
	if !s.options.Root {
		path = s.path(wire.Namespace)
		if !netns.Mounted(path) {
			if err := netns.Create(path); err != nil {
				return err
			}
		}
	}
	logFile, err := os.OpenFile(s.path(wire.Log), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s.log = log.New(logFile, "", log.LstdFlags)
	if s.inside, err = netns.Enter(path); err != nil {
		return err
	}
	if s.links, err = bridge.Open(s.inside); err != nil {
		return err
	}
	if s.table, err = filter.New(s.inside, filter.Options{Root: s.options.Root, DNSPort: s.options.DNSPort, Name: s.options.Table}); err != nil {
		return err
	}
	if !s.options.Root {
		s.links.SetUplinkMTU(uplinkMTU)
		if err := ports.Prepare(s.inside); err != nil {
			return err
		}
	}
	s.leases = lease.New(s.say)
	s.ports = ports.New(s.inside, s.say)
	s.names = names.New(names.Options{Inside: listener{s.inside, s.devices}, ResolvConf: s.options.ResolvConf, Port: s.options.DNSPort, Log: s.say})
	if s.options.Root {
		return nil
	}
	s.way, err = newWay(s.options, s.say)
	return err
}

func (s *Server) path(name string) string { return filepath.Join(s.options.Dir, name) }

func (s *Server) say(text string) { s.log.Print(text) }

// listen takes the socket's place and then says that this is the one.
func (s *Server) listen() (net.Listener, error) {
	if err := os.Chdir(s.options.Dir); err != nil { // the path of a socket has 107 bytes at most (unix(7))
		return nil, err
	}
	if err := unix.Unlink(wire.Socket); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: wire.Socket})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(wire.Socket, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	text := strconv.Itoa(os.Getpid()) + " " + strconv.FormatUint(netns.StartTime(os.Getpid()), 10) + "\n"
	if err := atomicfile.WriteVolatile(s.path(wire.PID), []byte(text)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// needed reports whether hull-net has to stay. The lock is held.
func (s *Server) needed() bool { return len(s.attached) > 0 || s.visitors > 0 }

// rest begins the wait for the end when nobody needs hull-net. The lock is held.
func (s *Server) rest() {
	if s.needed() || s.closing || s.idle != nil {
		return
	}
	s.idle = time.AfterFunc(linger, s.endIdle)
}

func (s *Server) endIdle() {
	s.mu.Lock()
	needed := s.needed()
	s.mu.Unlock()
	if !needed {
		s.end()
	}
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.closing = true
		close(s.ended)
	}
}

// close gives back what was opened. With no container left it takes the namespace and the way out too.
func (s *Server) close() {
	s.work.Wait()
	s.leases.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.ports.Close(), s.names.Close())
	if len(s.attached) == 0 {
		err = errors.Join(err, s.way.end(), s.table.Clear())
		if !s.options.Root {
			err = errors.Join(err, netns.Remove(s.path(wire.Namespace)))
		}
		for _, name := range []string{wire.PID, wire.Socket} {
			if e := os.Remove(s.path(name)); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	if err = errors.Join(err, s.table.Close()); err != nil {
		s.say(fmt.Sprintf("end: %v", err))
	}
	s.inside.Close()
}
