package logread

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/conmon/protocol"
	"hull.dev/hull/pkg/journal"
)

// The tests of the journal have a journald of their own: the test binary runs itself once more in a mount namespace where
// /run is empty.
const inJournal = "_HULL_TEST_JOURNAL"

const (
	journald = "/lib/systemd/systemd-journald"
	socket   = "/run/systemd/journal/socket"
)

func TestJournal(t *testing.T) {
	if os.Getenv(inJournal) != "" {
		startJournald(t)
		t.Run("bounds", journalBounds)
		t.Run("streams", journalStreams)
		t.Run("follow", journalFollow)
		t.Run("follow until", journalFollowUntil)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("not root: no journald of our own")
	}
	for _, path := range []string{journald, "/bin/journalctl"} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("no systemd: ", err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestJournal$", "-test.v")
	cmd.Env = append(os.Environ(), inJournal+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skip("no mount namespace: ", err)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func startJournald(t *testing.T) {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/run", "/var/log"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"/run/log/journal", "/run/systemd"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(journald) // it ends with the test, after its clean-ups
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "journald listens", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !met(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("it is not so after 20 s that %s", what)
		}
	}
}

// send writes a record as hull-conmon does.
func send(t *testing.T, container, more, message string) {
	t.Helper()
	c, err := net.Dial("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "MESSAGE=%s\n%sCONTAINER_ID_FULL=%s\nCONTAINER_NAME=c\n", message, more, container); err != nil {
		t.Fatal(err)
	}
}

const (
	stdout = "PRIORITY=6\n"
	stderr = "PRIORITY=3\n"
	open   = "CONTAINER_PARTIAL_MESSAGE=true\n"
)

// stored waits until the journal has so many records of a container, and returns their times.
func stored(t *testing.T, container string, n int) (times []time.Time) {
	t.Helper()
	eventually(t, fmt.Sprintf("the journal has %d records of %s", n, container), func() bool {
		times = nil
		err := journal.Read(t.Context(), journal.Query{Container: container}, func(r journal.Record) error {
			times = append(times, r.Time)
			return nil
		})
		return err == nil && len(times) >= n
	})
	return times
}

func journalLines(t *testing.T, container string, o Options) []string {
	t.Helper()
	got := []string{}
	err := Read(t.Context(), Source{Driver: protocol.LogJournald, Container: container}, o, func(e Entry) error {
		got = append(got, fmt.Sprintf("%s %s", e.Stream, e.Line))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func journalBounds(t *testing.T) {
	send(t, "other", stdout, "not ours")
	for i := range 4 {
		send(t, "bounds", stdout, fmt.Sprintf("s%d", i))
	}
	at := stored(t, "bounds", 4)
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"all":               {Options{All: true}, "s0 s1 s2 s3"},
		"tail":              {Options{Tail: 2}, "s2 s3"},
		"tail 0":            {Options{Tail: 0}, ""},
		"tail -1":           {Options{Tail: -1}, "s0 s1 s2 s3"},
		"tail of more":      {Options{Tail: 9}, "s0 s1 s2 s3"},
		"since":             {Options{All: true, Since: at[3]}, "s3"},
		"until":             {Options{All: true, Until: at[1]}, "s0 s1"},
		"since, until":      {Options{All: true, Since: at[1], Until: at[2]}, "s1 s2"},
		"tail, since later": {Options{Tail: 3, Since: at[2]}, "s2 s3"},
	} {
		got := strings.ReplaceAll(strings.Join(journalLines(t, "bounds", c.o), " "), "stdout ", "")
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := journalLines(t, "nosuch", Options{All: true}); len(got) != 0 {
		t.Errorf("of a container that wrote nothing: %q", got)
	}
}

func journalStreams(t *testing.T) {
	long := strings.Repeat("x", 20<<10) // journalctl leaves out what is long, unless told
	send(t, "streams", stdout, "whole")
	send(t, "streams", stdout+open, "be")
	send(t, "streams", stdout, "gun")
	send(t, "streams", stderr, "bad \xff byte")
	send(t, "streams", stdout, "")
	send(t, "streams", stdout, long)
	send(t, "streams", stdout+open, "open")
	stored(t, "streams", 7)
	want := []string{"stdout whole", "stdout be", "stdout gun", "stderr bad \xff byte", "stdout ", "stdout " + long, "stdout open"}
	if got := journalLines(t, "streams", Options{All: true}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	// A line counts once, with its pieces; one that was left open is a line.
	if got := journalLines(t, "streams", Options{Tail: 5}); !reflect.DeepEqual(got, want[1:]) {
		t.Errorf("tail: got %q", got)
	}
}

func journalFollow(t *testing.T) {
	send(t, "follow", stdout, "before")
	stored(t, "follow", 1)
	done, result, lines := make(chan struct{}), make(chan error, 1), make(chan string, 8)
	go func() {
		o := Options{Tail: 1, Follow: true, Done: done}
		result <- Read(t.Context(), Source{Driver: protocol.LogJournald, Container: "follow"}, o, func(e Entry) error {
			lines <- string(e.Line)
			return nil
		})
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-lines:
			if got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no %q", want)
		}
	}
	expect("before")
	send(t, "follow", stdout, "while")
	expect("while")
	send(t, "follow", stdout, "last")
	stored(t, "follow", 3)
	close(done)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	expect("last")
}

func journalFollowUntil(t *testing.T) {
	send(t, "until", stdout, "x")
	stored(t, "until", 1)
	o := Options{All: true, Follow: true, Done: make(chan struct{}), Until: time.Now().Add(50 * time.Millisecond)}
	if got := journalLines(t, "until", o); !reflect.DeepEqual(got, []string{"stdout x"}) {
		t.Errorf("got %q", got)
	}
}
