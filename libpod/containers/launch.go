package containers

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/libpod/internal/monitor"
	"hull.dev/hull/pkg/atomicfile"
	"hull.dev/hull/pkg/netns"
)

// launch is a monitor that comes up, and the runtime under it, beside what hull still does for the container: the layer,
// the mounts, the network, the spec. crun takes 2 ms to load its libraries and come to the point where it opens
// config.json; in the time of its start that is a FIFO, at which it waits:
//
//	hull                                   monitor, crun
//	  | row "create", lock                   |
//	  | mkfifo config.json, Request -------->| exec crun run
//	  | layer, mounts, network               | crun: open config.json ... waits for a writer
//	  | open config.json for writing ------->|
//	  | rename a file over config.json       |
//	  | the spec, end ---------------------->| crun reads it, opens config.json again for its copy: the file
//	  |<------------------------ Started     |
//
// When hull dies before the rename, the monitor sees its connection end and config.json still a FIFO, and gives the start
// up. Another runtime gets the file before the request.
type launch struct {
	idle    *monitor.Idle
	request protocol.Request
	begun   bool         // the request is with the monitor
	netns   *netns.Loose // of the container, where it is made ahead
}

// spawn starts the monitor of a container that is about to be made or started. The launch must be closed.
func (s *Service) spawn(o StartOptions, preserve []uint, driver string) *launch {
	return &launch{idle: s.Monitor.Spawn(o.Attach.files(preserve, driver))}
}

// begin has the monitor execute the runtime, if that can wait for its spec.
func (l *launch) begin(s *Service, c *locked, o StartOptions) (err error) {
	if l.request, err = s.request(c, o); err != nil {
		return err
	}
	if err := os.MkdirAll(l.request.Dir, 0o700); err != nil {
		return err
	}
	if filepath.Base(l.request.Runtime) != "crun" {
		return nil
	}
	if err := unix.Unlink(l.spec()); err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "unlink", Path: l.spec(), Err: err}
	}
	if err := unix.Mkfifo(l.spec(), 0o600); err != nil {
		return &os.PathError{Op: "mkfifo", Path: l.spec(), Err: err}
	}
	l.begun = true
	return l.idle.Begin(l.request)
}

func (l *launch) spec() string { return filepath.Join(l.request.Dir, protocol.SpecFile) }

// deliver gives the runtime its spec and waits until the process has started.
func (l *launch) deliver(ctx context.Context, spec []byte) (*monitor.Session, error) {
	if !l.begun {
		if err := atomicfile.WriteVolatile(l.spec(), spec); err != nil {
			return nil, err
		}
		if err := l.idle.Begin(l.request); err != nil {
			return nil, err
		}
		return l.idle.Await(ctx)
	}
	handed := make(chan error, 1)
	go func() { handed <- hand(l.spec(), spec) }()
	session, err := l.idle.Await(ctx)
	// A runtime that died before it came to the FIFO leaves the writer waiting for a reader.
	if r, openErr := unix.Open(l.spec(), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); openErr == nil {
		defer unix.Close(r)
	}
	handErr := <-handed
	if err != nil || handErr == nil || errors.Is(handErr, unix.EPIPE) {
		return session, err
	}
	return nil, errors.Join(handErr, session.Close())
}

// hand waits for the reader of the FIFO at path, puts a file with the spec in its place, and writes the spec to the reader.
func hand(path string, spec []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteVolatile(path, spec); err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = f.Write(spec)
	return errors.Join(err, f.Close())
}

// close ends a monitor that has not started its container, and returns when it has gone. It may be called again.
func (l *launch) close(ctx context.Context) {
	if l != nil {
		l.idle.Close(ctx)
		l.netns.Close()
	}
}
