package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/network/wire"
)

// askTime is how long who has connected may take to say what it wants.
const askTime = 10 * time.Second

// serve answers until the listener is closed, and then finishes what was begun.
func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	s.mu.Lock()
	s.rest()
	s.mu.Unlock()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer conn.Close()
			s.answer(ctx, conn)
			if s.options.Done != nil {
				s.options.Done()
			}
		})
	}
}

// answer reads one request and acts. Nobody but the user's own processes gets an answer.
func (s *Server) answer(ctx context.Context, conn net.Conn) {
	if !own(conn) {
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(askTime))
	var r wire.Request
	if err := json.NewDecoder(io.LimitReader(conn, wire.MaxMessage)).Decode(&r); err != nil {
		return
	}
	a, err := s.do(ctx, &r)
	if errors.Is(err, errClosing) {
		return // no answer: it asks the next
	}
	if err != nil {
		a = &wire.Answer{Error: errs.NewFailure(err, wire.MaxMessage/4)}
	}
	if data, err := json.Marshal(a); err == nil {
		_, _ = conn.Write(data)
	}
	if r.Op == wire.Visit && err == nil {
		s.host(conn)
	}
}

// visit makes ready for somebody who is about to enter the namespace.
func (s *Server) visit(ctx context.Context) error {
	if s.options.Root {
		return errs.Invalid("root's networks are in the host's network namespace")
	}
	s.visitors++
	s.way.begin(ctx)
	err := s.unlocked(func() error { return s.way.wait(ctx) })
	if err != nil {
		s.visitors--
	}
	return err
}

// host waits until a visitor has gone, or hull-net ends.
func (s *Server) host(conn net.Conn) {
	gone := make(chan struct{})
	go func() {
		select {
		case <-s.ended:
			_ = conn.Close()
		case <-gone:
		}
	}()
	_ = conn.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, conn)
	close(gone)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visitors--
	s.rest()
}

// own reports whether the other end is a process of the same user.
func own(conn net.Conn) bool {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var cred *unix.Ucred
	err2 := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return err == nil && err2 == nil && int(cred.Uid) == unix.Getuid()
}

// do does what is asked. What it answers with is a copy: it is read after the lock, when a lease or the next request may
// change what the server knows.
func (s *Server) do(ctx context.Context, r *wire.Request) (*wire.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, errClosing
	}
	defer s.rest()
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
	answer, err := s.act(ctx, r)
	if answer != nil && answer.Attachment != nil {
		told := *answer.Attachment
		told.Joins = slices.Clone(told.Joins)
		answer.Attachment = &told
	}
	return answer, err
}

func (s *Server) act(ctx context.Context, r *wire.Request) (*wire.Answer, error) {
	switch r.Op {
	case wire.Attach:
		return s.attach(ctx, r.Attachment)
	case wire.Detach:
		err := s.detach(r.ID)
		for s.leaving[r.ID] && !s.mayLeave(r.ID) {
			s.left.Wait()
		}
		return &wire.Answer{}, err
	case wire.Connect:
		return s.connect(ctx, r.ID, r.Join)
	case wire.Disconnect:
		return s.disconnect(r.ID, r.Network)
	case wire.Ports:
		return s.publish(r.ID, r.Ports)
	case wire.Changed:
		return &wire.Answer{}, s.change(ctx, r.Network)
	case wire.Reload:
		return &wire.Answer{}, s.reload(ctx, r.ID)
	case wire.Visit:
		return &wire.Answer{}, s.visit(ctx)
	case wire.Status:
		return &wire.Answer{Report: s.report()}, nil
	}
	return nil, errs.Invalid("hull-net does not know %q: hull and hull-net have to be of one release", r.Op)
}

// unlocked waits for something outside with the lock given up: others are served meanwhile, and may change everything.
func (s *Server) unlocked(wait func() error) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	return wait()
}

// errClosing means that this hull-net ends.
var errClosing = errors.New("it is about to end")
