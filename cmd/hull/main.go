// Hull runs OCI containers for an unprivileged user, without a daemon. All of the program is app.Main.
package main

import (
	"os"
	"runtime/debug"
	"time"

	"hull.dev/hull/cmd/hull/internal/app"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/hugeheap"
	"hull.dev/hull/pkg/layers"
	_ "hull.dev/hull/pkg/lazysysmon" // a tenth where many are at work
	_ "hull.dev/hull/pkg/sqlheap"    // a tenth more where there are many containers
)

// gcPercent lets the heap come to 16 MB before the first collection, where Go's 100 has it at 4: a command is over before
// it pays. A list of 1,000 containers takes a millisecond of fifteen less.
const gcPercent = 400

// settled is after how long a command gives back what it needs no more: most are over then, and who is not waits.
const settled = time.Second

// settle gives back what of the heap's huge pages is free, and those of the program's file.
func settle() {
	debug.FreeOSMemory()
	hugeheap.SmallFile()
}

func main() { os.Exit(run()) }

// deepen has the stack of the main goroutine grow once, while there is little on it. It would else be copied five times on the
// way down, each time with a look at the tables of all functions on it: pages of the program's file that nobody else needs.
//
//go:noinline
func deepen() byte {
	var room [48 << 10]byte
	return room[len(os.Args)]
}

func run() int {
	_ = deepen()
	debug.SetGCPercent(gcPercent)
	if layers.Reexec() { // this is a child of the storage library's
		return 0
	}
	time.AfterFunc(settled, settle)
	return app.Main(os.Args[1:], streams.System())
}
