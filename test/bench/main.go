// Bench measures hull against podman in one run: each figure is the median of paired runs, taken in turn, as the same
// ordinary user in the same private view of the machine, each engine with stores of its own that hold the same image. It
// prints a table and judges nothing but by a word in it.
//
//	make bench                as root
//	BENCH=quick make bench    fewer pairs and no image of 2 GB, to see that it works
//	BENCH=images make bench   pulls, pushes, loads and lists of images alone
//	BENCH=networks make bench bridges, ports and names alone; quick may be there beside a part
//
// It is three processes: root's makes the view (test/env) and starts the user's in it, which measures; that one starts
// another in hull's user namespace, which runs crun with nothing around it (crun.go).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"hull.dev/hull/test/env"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == bareArgument {
		return serveBare(ctx, os.Args[2:])
	}
	t := &bench{ctx: ctx}
	return t.main(func() {
		if base, _, ok := env.FromEnvironment(); ok {
			measure(t, base)
		} else {
			enter(t)
		}
	})
}

// enter starts this program again as the user, in a view with one cgroup hierarchy.
func enter(t *bench) {
	suite := env.Open(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := suite.Command(t.Context(), t, env.Profile{Identity: "user", Runtime: "crun"}, suite.Copy(t, self))
	cmd.Env = append(cmd.Env, "BENCH="+os.Getenv("BENCH"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(fmt.Errorf("the measuring process: %w", err))
	}
}
