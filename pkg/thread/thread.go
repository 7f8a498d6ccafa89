// Package thread does work in a thread of its own, for what the kernel keeps by thread: its root folder, its namespaces,
// its system call filter.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Do calls f in a thread that ends with it, so that nothing which f makes of the thread is left.
func Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, but for the first one
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- Do(f)
			return
		}
		done <- f()
	}()
	return <-done
}
