// Package owned makes network namespaces that belong to a user namespace other than the engine's: root in that one may configure
// them (network_namespaces(7)), which a namespace of the engine's own refuses.
//
// Only a process of one thread can enter another user namespace (user_namespaces(7)), so a child does, which executes nothing
// and ends when both namespaces are mounted.
package owned

// #include "child.h"
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/rootless"
)

// Create makes a user namespace with these ids, mounted at userPath, and a network namespace that it owns, mounted at path.
func Create(path, userPath string, uids, gids []syscall.SysProcIDMap) error {
	c, err := start(-1)
	if err != nil {
		return fmt.Errorf("make user namespace: %w", err)
	}
	defer c.end()
	for file, ids := range map[string][]syscall.SysProcIDMap{"uid_map": uids, "gid_map": gids} {
		if err := c.setMap(file, ids); err != nil {
			return fmt.Errorf("make user namespace: %w", err)
		}
	}
	if err := netns.Keep(c.namespace("user"), userPath); err != nil {
		return err
	}
	return c.keepNetwork(path)
}

// CreateIn makes a network namespace that the user namespace at userPath owns, mounted at path.
func CreateIn(path, userPath string) error {
	c, err := in(userPath)
	if err != nil {
		return err
	}
	defer c.end()
	return c.keepNetwork(path)
}

// IDs are the maps of the user namespace at userPath, as ids of the engine's.
func IDs(userPath string) (uids, gids []rootless.Mapped, err error) {
	c, err := in(userPath)
	if err != nil {
		return nil, nil, err
	}
	defer c.end()
	return rootless.IDMaps(strconv.Itoa(c.pid))
}

// in has a child made in the user namespace at a path.
func in(userPath string) (*child, error) {
	user, err := os.Open(userPath)
	if err != nil {
		return nil, err
	}
	defer user.Close()
	c, err := start(int(user.Fd()))
	if err != nil {
		return nil, fmt.Errorf("enter the user namespace %s: %w", userPath, err)
	}
	return c, nil
}

// child is a process in both namespaces.
type child struct {
	pid  int
	line *os.File // it ends with this
}

// one is held while there is a child, of which there may be one.
var one sync.Mutex

// start has a child made, in the user namespace of a descriptor, or, if it is negative, in a new one.
func start(user int) (*child, error) {
	one.Lock()
	var line C.int
	pid := int(C.hull_child(C.int(user), &line))
	if pid < 0 {
		one.Unlock()
		return nil, os.NewSyscallError("fork", syscall.Errno(-pid))
	}
	c := &child{pid: pid, line: os.NewFile(uintptr(line), "child")}
	var answer [4]byte // an int of C
	if _, err := c.line.Read(answer[:]); err != nil {
		c.end()
		return nil, fmt.Errorf("child: %w", err)
	}
	if errno := syscall.Errno(binary.NativeEndian.Uint32(answer[:])); errno != 0 {
		c.end()
		return nil, os.NewSyscallError("unshare", errno)
	}
	return c, nil
}

func (c *child) end() {
	_ = c.line.Close()
	for {
		if _, err := unix.Wait4(c.pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	one.Unlock()
}

func (c *child) path(file string) string { return "/proc/" + strconv.Itoa(c.pid) + "/" + file }

func (c *child) namespace(kind string) string { return c.path("ns/" + kind) }

// setMap writes a map of ids, which the kernel takes whole and once (user_namespaces(7)).
func (c *child) setMap(file string, ids []syscall.SysProcIDMap) error {
	var text strings.Builder
	for _, r := range ids {
		fmt.Fprintln(&text, r.ContainerID, r.HostID, r.Size)
	}
	return os.WriteFile(c.path(file), []byte(text.String()), 0) //nolint:forbidigo // it is no file
}

func (c *child) keepNetwork(path string) error {
	if err := netns.LoopbackUp(c.namespace("net")); err != nil {
		return err
	}
	return netns.Keep(c.namespace("net"), path)
}
