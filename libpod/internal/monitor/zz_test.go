package monitor

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	b := newBox(t, "/usr/bin/crun", "echo hello; exec sleep 1000")
	s := b.start()
	_ = s.Close()
	until(t, "output", func() bool { return len(b.log()) > 0 })
	d, _ := os.ReadFile("/proc/" + strconv.Itoa(s.Monitor()) + "/smaps")
	os.WriteFile("/tmp/smaps", d, 0o644)
	o, _ := exec.Command("ls", "/proc/"+strconv.Itoa(s.Monitor())+"/task").CombinedOutput()
	t.Logf("%s", o)
	// timing
	for range 10 {
		b := newBox(t, "/usr/bin/crun", "true")
		b.req.LogDriver = ""
		t0 := time.Now()
		b.start()
		t1 := time.Now()
		os.MkdirAll(b.root+"2", 0o700)
		c := exec.Command("/usr/bin/crun", "--root", b.root+"2", "--log", b.req.Dir+"/l", "--log-format", "json", "run", "--detach", "--bundle", b.req.Bundle, "--pid-file", b.req.Dir+"/p2", b.req.ID+"b")
		t2 := time.Now()
		if e := c.Run(); e != nil {
			t.Fatal(e)
		}
		t3 := time.Now()
		exec.Command("/usr/bin/crun", "--root", b.root+"2", "delete", "--force", b.req.ID+"b").Run()
		t.Log(t1.Sub(t0), t3.Sub(t2))
	}
}
