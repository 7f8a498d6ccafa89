// Gen writes the man pages and completions: go run ./cmd/hull/internal/docs/gen at the top of the repository. With -check
// it changes nothing and fails when they are not up to date.
package main

import (
	"flag"
	"fmt"
	"os"

	"hull.dev/hull/cmd/hull/internal/app"
	"hull.dev/hull/cmd/hull/internal/docs"
	"hull.dev/hull/cmd/hull/internal/streams"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	fs := flag.NewFlagSet("gen", flag.ExitOnError)
	check := fs.Bool("check", false, "compare and change nothing")
	top := fs.String("C", ".", "top of the repository")
	_ = fs.Parse(args)
	files, err := docs.Files(app.Tree(streams.System()))
	if err == nil && *check {
		err = docs.Check(*top, files)
	} else if err == nil {
		err = docs.Write(*top, files)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		return 1
	}
	return 0
}
