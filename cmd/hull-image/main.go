// Command hull-image moves images between archives, registries and the store. hull starts it; see pkg/transfer for what
// they say to each other.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"

	"golang.org/x/sys/unix"

	_ "hull.dev/hull/pkg/hugeheap" // faster by a third
	"hull.dev/hull/pkg/layers"
	_ "hull.dev/hull/pkg/lazysysmon"
	"hull.dev/hull/pkg/transfer"
	_ "hull.dev/hull/pkg/transfer/confine"
	"hull.dev/hull/pkg/transfer/registry"
	_ "hull.dev/hull/pkg/transfer/unpacker"
)

func main() { os.Exit(run()) }

// memory is how many bytes the collector keeps each process below if it can: the store knows every path of a layer that it
// unpacks, and a million of them took two hundred megabytes, half of it garbage.
const memory = 140 << 20

// garbage lets the heap come to 16 MB before the first collection: most jobs are over before it pays. What moves layers asks for less.
const garbage = 400

func run() int {
	debug.SetGCPercent(garbage)
	debug.SetMemoryLimit(memory)
	if layers.Reexec() {
		return 0
	}
	// gzip's options for people: the storage library unpacks with pigz where there is one, which takes them too.
	for _, name := range []string{"GZIP", "PIGZ"} {
		_ = os.Unsetenv(name)
	}
	registry.Prepare()
	// A Ctrl-C goes to the whole foreground group; hull decides what it means and closes the request.
	signal.Ignore(unix.SIGINT, unix.SIGHUP)
	if err := transfer.Serve(context.Background(), registry.Handle); err != nil { //nolint:forbidigo // here it begins; Serve ends it with the request pipe
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}
