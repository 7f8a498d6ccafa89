package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
)

// Visit puts the calling thread, which must be locked to its goroutine, into hull-net's network namespace: what it executes next has it
// too. hull-net is started if need be, and lives on until this process and what it has become have ended.
func (c *Client) Visit(ctx context.Context) error {
	if _, err := c.ask(ctx, Request{Op: Visit}, stay); err != nil {
		return err
	}
	return netns.Join(filepath.Join(c.Dir, Namespace))
}

// stay is receive from a connection that stays open, by a descriptor that an exec leaves open as well.
func stay(conn net.Conn) (*Answer, error) {
	var a Answer
	if err := json.NewDecoder(io.LimitReader(conn, MaxMessage)).Decode(&a); err != nil || a.Error != nil {
		return &a, err
	}
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	control, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = control.Control(func(fd uintptr) { _, failed = unix.Dup(int(fd)) })
	return &a, errors.Join(err, os.NewSyscallError("dup", failed))
}
