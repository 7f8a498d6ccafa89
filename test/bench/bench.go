package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
)

// bench is the testing.TB that test/env asks for, outside of go test. A method that it does not have ends the program.
type bench struct {
	testing.TB
	ctx      context.Context //nolint:containedctx // as testing.TB has it
	cleanups []func()
	failed   bool
}

// main runs fn and the clean-ups, and returns the exit code.
func (t *bench) main(fn func()) int {
	done := make(chan struct{})
	go func() { // Fatal ends its goroutine
		defer close(done)
		defer func() {
			for _, cleanup := range slices.Backward(t.cleanups) {
				cleanup()
			}
		}()
		fn()
	}()
	<-done
	if t.failed {
		return 1
	}
	return 0
}

func (t *bench) Helper()                  {}
func (t *bench) Name() string             { return "bench" }
func (t *bench) Context() context.Context { return t.ctx }
func (t *bench) Cleanup(fn func())        { t.cleanups = append(t.cleanups, fn) }

func (t *bench) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

func (t *bench) Errorf(format string, args ...any) {
	t.failed = true
	t.Logf(format, args...)
}

func (t *bench) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

func (t *bench) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }
func (t *bench) Skip(args ...any)  { t.Fatal(args...) }
