// GOMAXPROCS is given: the Go runtime need not hold its cgroup's limits open and look at them again and again.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command hull-conmon watches one container, or one process exec'ed into one: it holds the pty or the pipes, writes the
// log, serves attach, waits for the exit and sees to the clean-up. The engine starts it (libpod/internal/monitor) and
// talks to it in the frames of conmon/protocol; nobody calls it by hand.
//
// There is one such process for each running container, so it is small before all else: one thread of work on raw epoll,
// no fmt, no reflection over data, no goroutine but the one that os/signal needs.
package main

import (
	"os"

	"hull.dev/hull/conmon/internal/watch"
)

func main() { os.Exit(watch.Main()) }
