package network

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// session is an open connection of the client's to the database.
type session struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

// open connects.
func (b *box) open() *session {
	b.t.Helper()
	s := &session{t: b.t, lines: make(chan string)}
	s.cmd = exec.CommandContext(b.t.Context(), "hull", "exec", "-i", "client", "psql", "-h", "db", "-U", "postgres", "-tA")
	s.cmd.Env, s.cmd.Dir, s.cmd.Stderr = append(os.Environ(), b.Vars...), b.Dir, os.Stderr
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		b.t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	return s
}

// ask sends a query and returns the one line that comes back, which is to be want unless that is "".
func (s *session) ask(query, want string) string {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, query+";"); err != nil {
		s.t.Fatal(err)
	}
	select {
	case got, ok := <-s.lines:
		if !ok || want != "" && got != want {
			s.t.Fatalf("%s: %q (the session is open: %t), want %q", query, got, ok, want)
		}
		return got
	case <-time.After(patience):
		s.t.Fatalf("%s: no answer within %s", query, patience)
	}
	return ""
}

// close ends the session, from the client's side.
func (s *session) close() {
	s.t.Helper()
	if err := s.in.Close(); err != nil {
		s.t.Error(err)
	}
	for line := range s.lines {
		s.t.Errorf("the session says more: %q", line)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("psql: %v", err)
	}
}
