package monitor

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
)

// TestOwnerDies ends the stdin of what the owner fed, and has the monitor clean up in its place.
func TestOwnerDies(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `cat; exit 3`)
		mark := filepath.Join(b.req.Bundle, "cleaned")
		b.req.AttachStdin, b.req.Cleanup = true, []string{"/bin/touch", mark}
		_ = b.start().Close()
		b.waitGone()
		if st := b.status(); st.State != protocol.StateExited || st.ExitCode != 3 {
			t.Errorf("status %+v", st)
		}
		if _, err := os.Stat(mark); err != nil {
			t.Error(err)
		}
	})
}

// TestOwnerDiesOfAFailure: an owner that is told of a failed start, and does not say that it clears up, is dying.
func TestOwnerDiesOfAFailure(t *testing.T) {
	for name, answers := range map[string]bool{"dies": false, "clears up": true} {
		t.Run(name, func(t *testing.T) {
			eachRuntime(t, func(t *testing.T, runtime string) {
				b := newBox(t, runtime, "nosuch", "x")
				mark := filepath.Join(b.req.Bundle, "cleaned")
				b.req.Cleanup = []string{"/bin/touch", mark}
				i := b.starter.Spawn(Files{})
				if err := i.Begin(b.req); err != nil {
					t.Fatal(err)
				}
				frame, _, err := i.session.frames.Next()
				if err != nil || frame != protocol.FrameFailed {
					t.Fatalf("frame %q, %v", frame, err)
				}
				if answers {
					i.session.answer(frame)
				}
				if err := i.session.Close(); err != nil {
					t.Fatal(err)
				}
				b.waitGone()
				if _, err := os.Stat(mark); os.IsNotExist(err) != answers {
					t.Errorf("the clean-up's mark: %v", err)
				}
			})
		})
	}
}

// TestOwnerDetaches leaves stdin open.
func TestOwnerDetaches(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `read x; echo "got $x"`)
		b.req.AttachStdin, b.req.Stdin = true, true
		if err := b.start().Detach(); err != nil {
			t.Fatal(err)
		}
		s, err := Attach(t.Context(), b.req.Dir, protocol.Hello{Stdin: true, Stdout: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var out bytes.Buffer
		if _, err := s.Attach(t.Context(), Streams{Stdin: bytes.NewBufferString("it\n"), Stdout: &out}); err != nil || out.String() != "got it\n" {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}

// TestSignals: a hang-up does nothing to the monitor, and its SIGTERM is the container's.
func TestSignals(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, `trap 'exit 6' TERM; echo ready; while :; do sleep 0.01; done`)
		s := b.start()
		until(t, "it is ready", func() bool { return len(b.log()) > 0 })
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGPIPE, unix.SIGTERM} {
			if err := unix.Kill(s.Monitor(), sig); err != nil {
				t.Fatal(err)
			}
		}
		if exit, err := s.Wait(t.Context()); err != nil || exit.Code != 6 {
			t.Errorf("exit %+v, %v", exit, err)
		}
	})
}

// TestOrphans: an exec'ed process that leaves children behind leaves no zombies.
func TestOrphans(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		b := newBox(t, runtime, "/bin/sleep", "1000")
		b.start()
		for range 20 {
			e := b.exec(false, "/bin/sh", "-c", "sleep 0.01 & exit 2")
			if exit, err := e.start().Wait(t.Context()); err != nil || exit.Code != 2 {
				t.Fatalf("exit %+v, %v", exit, err)
			}
		}
	})
}
