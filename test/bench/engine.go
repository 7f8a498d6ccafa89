package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"hull.dev/hull/test/env"
)

// engine is hull or podman, with a home and stores of its own.
type engine struct {
	name string
	box  *env.Sandbox
	t    *bench
}

func (e *engine) command(ctx context.Context, words ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, e.name, words...)
	c.Env = append(os.Environ(), e.box.Vars...)
	c.Dir = e.box.Dir
	return c
}

// do runs a command line of words without white space in them.
func (e *engine) do(line string) {
	if out, err := e.command(e.t.Context(), strings.Fields(line)...).CombinedOutput(); err != nil {
		e.t.Fatalf("%s %s: %v: %s", e.name, line, err, out)
	}
}

// output is what a command prints, without the line's end.
func (e *engine) output(words ...string) string {
	out, err := e.command(e.t.Context(), words...).Output()
	if err != nil {
		e.t.Fatalf("%s %s: %v", e.name, strings.Join(words, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// time is how long a command line takes.
func (e *engine) time(line string) time.Duration {
	start := time.Now()
	e.do(line)
	return time.Since(start)
}

// many runs a command line n times, eight at a time, and returns how long that took. %d in it is the number of the run.
func (e *engine) many(n int, line string) time.Duration {
	start := time.Now()
	failed := make([]error, n)
	slots := make(chan struct{}, 8)
	var g sync.WaitGroup
	for i := range n {
		words := strings.Fields(strings.ReplaceAll(line, "%d", strconv.Itoa(i)))
		slots <- struct{}{}
		g.Go(func() {
			defer func() { <-slots }()
			if out, err := e.command(e.t.Context(), words...).CombinedOutput(); err != nil {
				failed[i] = fmt.Errorf("%s %s: %w: %s", e.name, strings.Join(words, " "), err, out)
			}
		})
	}
	g.Wait()
	if err := errors.Join(failed...); err != nil {
		e.t.Fatal(err)
	}
	return time.Since(start)
}
