// Hull runs OCI containers for an unprivileged user, without a daemon. All of the program is app.Main.
package main

import (
	"os"

	"hull.dev/hull/cmd/hull/internal/app"
	"hull.dev/hull/cmd/hull/internal/streams"
	"hull.dev/hull/pkg/layers"
)

func main() { os.Exit(run()) }

func run() int {
	if layers.Reexec() { // this is a child of the storage library's
		return 0
	}
	return app.Main(os.Args[1:], streams.System())
}
