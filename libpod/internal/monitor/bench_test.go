package monitor

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// TestMemory logs what a monitor of an idle container has in memory.
func TestMemory(t *testing.T) {
	eachRuntime(t, func(t *testing.T, runtime string) {
		for range 5 {
			b := newBox(t, runtime, "echo hello; exec sleep 1000")
			s := b.start()
			_ = s.Close()
			until(t, "output", func() bool { return len(b.log()) > 0 })
			if rss := residentKB(t, s.Monitor()); rss > 4<<10 {
				t.Errorf("monitor has %d KB", rss)
			}
			data, _ := os.ReadFile("/proc/" + strconv.Itoa(s.Monitor()) + "/smaps_rollup")
			t.Logf("%s", data[:min(len(data), 250)])
		}
	})
}

// BenchmarkStart measures from Start to Started, beside the runtime alone (metric runtime-ms).
func BenchmarkStart(b *testing.B) {
	if whyNot != "" {
		b.Skip(whyNot)
	}
	path, err := exec.LookPath("crun")
	if err != nil {
		b.Skip(err)
	}
	var bare, ours time.Duration
	for range b.N {
		x := newBox(b, path, "true")
		begin := time.Now()
		if out, err := exec.Command(path, "--root", x.root, "run", "--detach", "--bundle", x.req.Bundle, x.req.ID+"b").CombinedOutput(); err != nil {
			b.Fatalf("%v %s", err, out)
		}
		bare += time.Since(begin)
		_ = exec.Command(path, "--root", x.root, "delete", "--force", x.req.ID+"b").Run()
		begin = time.Now()
		s := x.start()
		ours += time.Since(begin)
		_ = s.Close()
	}
	b.ReportMetric(float64(bare.Microseconds())/1000/float64(b.N), "runtime-ms")
	b.ReportMetric(float64(ours.Microseconds())/1000/float64(b.N), "start-ms")
}
