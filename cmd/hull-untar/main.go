// Command hull-untar unpacks a layer for hull-image, which becomes it: see pkg/transfer/unpacker. It links of the storage
// library what that takes, and nothing else.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	_ "go.podman.io/storage/pkg/chrootarchive" // registers what it does by the first word of its command line
	"go.podman.io/storage/pkg/reexec"

	_ "hull.dev/hull/pkg/hugeheap"
	_ "hull.dev/hull/pkg/lazysysmon"
)

// memory is how many bytes the collector keeps the process below if it can: it knows every path of the layer that it unpacks.
const memory = 140 << 20

func main() { os.Exit(run()) }

func run() int {
	debug.SetMemoryLimit(memory)
	if !reexec.Init() {
		fmt.Fprintln(os.Stderr, "Error: hull-untar is started by hull-image, to unpack a layer")
		return 1
	}
	return 0
}
