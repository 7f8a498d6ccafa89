package pidfd

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLives(t *testing.T) {
	if lives, known := Lives(os.Getpid(), 0); lives || known {
		t.Error("a process without a number is known")
	}
	own := numberOf(t, os.Getpid())
	child := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := child.Process.Pid
	number := numberOf(t, pid)
	check := func(of string, pid int, number uint64, want bool) {
		t.Helper()
		if lives, known := Lives(pid, number); lives != want || !known {
			t.Errorf("%s: lives %v, known %v", of, lives, known)
		}
	}
	check("this process", os.Getpid(), own, true)
	check("the child", pid, number, true)
	check("another with its pid", pid, own, false)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	check("a zombie", pid, number, false)
	_ = child.Wait()
	check("one that has gone", pid, number, false)
}

func numberOf(t *testing.T, pid int) uint64 {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err := errors.Join(unix.Fstatfs(fd, &fs), unix.Fstat(fd, &st)); err != nil {
		t.Fatal(err)
	}
	if fs.Type != 0x50494446 {
		t.Skip("this kernel has no numbers of processes (Linux 6.9)")
	}
	return st.Ino
}
