package server

import (
	"net"
	"testing"

	"hull.dev/hull/pkg/network"
)

// hull-net stays while somebody is in its namespace, and ends all the same when it is told to.
func TestVisitor(t *testing.T) {
	s := &Server{attached: map[string]*network.Attachment{}, ended: make(chan struct{})}
	come := func() (gone chan struct{}, end net.Conn) {
		gone = make(chan struct{})
		near, end := net.Pipe()
		s.mu.Lock()
		s.visitors++
		s.mu.Unlock()
		go func() {
			defer close(gone)
			s.host(near)
		}()
		return gone, end
	}
	resting := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rest()
		return s.idle != nil
	}
	first, end := come()
	second, other := come()
	if resting() {
		t.Error("it rests with two visitors")
	}
	_ = end.Close()
	<-first
	if resting() {
		t.Error("it rests with a visitor")
	}
	_ = other.Close()
	<-second
	if !resting() {
		t.Error("it does not rest without one")
	}
	third, end := come()
	s.end()
	<-third
	_ = end.Close()
	s.idle.Stop()
}
