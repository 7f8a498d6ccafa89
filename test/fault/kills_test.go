package fault

import (
	"context"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/test/env"
)

var kills = flag.Int("kills", 4, "kills at random moments of each of a pull, a push and a load")

// randomKills ends hull or hull-image with kill -9 at random moments: the store is whole, and the same command works
// again.
func (s *suite) randomKills(t *testing.T) {
	for name, k := range map[string]struct{ before, act string }{
		"pull": {before: "rmi -fi $REGISTRY/layers:1 archived", act: "pull -q --tls-verify=false $REGISTRY/layers:1"},
		"push": {act: "push -q --tls-verify=false layers $REGISTRY/new:%d"},
		"load": {before: "rmi -fi archived", act: "load -q -i $ARCHIVE"},
	} {
		s.run(t, "random/"+name, func(t *testing.T) {
			t.Helper()
			b := filled(t, s.base)
			r, err := env.StartRegistry(env.RegistryOptions{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := r.Stop(); err != nil {
					t.Error(err)
				}
			})
			l := env.Layout{Dir: filepath.Join(b.Dir, "layout"), Base: env.Busybox(s.base, env.Profile{}), Texts: []string{"one", "two", "three", "four"}}
			if err := l.Write("layers"); err != nil {
				t.Fatal(err)
			}
			line := func(text string, n int) string {
				return strings.NewReplacer("$REGISTRY", r.Host, "%d", itoa(n)).Replace(text)
			}
			b.must("pull -q oci:" + l.Dir + ":layers")
			b.must(line("push -q --tls-verify=false layers $REGISTRY/layers:1", 0))
			if name == "pull" {
				b.must("rmi layers")
			}
			start := time.Now()
			b.must(line(k.act, 0))
			typical := time.Since(start)
			b.died = true
			for n := range *kills {
				if k.before != "" {
					b.must(line(k.before, n))
				}
				b.killed(line(k.act, n+1), rand.N(typical), n%2 == 0)
				if out := b.must("system check"); out != "" {
					t.Errorf("hull system check says %s", out)
				}
				b.must(line(k.act, n+1))
			}
			b.end()
		})
	}
}

// randomRuns ends "run --rm" at random moments, several at a time: the next run leaves nothing of them.
func (s *suite) randomRuns(t *testing.T) {
	s.run(t, "random/run", func(t *testing.T) {
		t.Helper()
		b := filled(t, s.base)
		const act = "run --rm busybox sleep 0.02"
		start := time.Now()
		b.must(act)
		typical := time.Since(start)
		b.died = true
		for range *kills {
			var g sync.WaitGroup
			for range 6 {
				g.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), deadline)
					defer cancel()
					cmd := b.command(ctx, act)
					if err := cmd.Start(); err != nil {
						t.Error(err)
						return
					}
					<-time.After(rand.N(2 * typical)) // six at a time take longer
					_ = cmd.Process.Kill()            // it may have ended
					_ = cmd.Wait()                    // it was killed
				})
			}
			g.Wait()
			b.monitorsEnd()
			b.must(act)
			if left := b.must("ps -a"); strings.Contains(left, "busybox") {
				t.Errorf("left of --rm: %s", left)
			}
			if out := b.must("system check"); out != "" {
				t.Errorf("hull system check says %s", out)
			}
		}
		b.end()
	})
}

// killed runs hull, and kills it, or the hull-image that it started, after the time.
func (b *box) killed(line string, after time.Duration, image bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cmd := b.command(ctx, line)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	<-time.After(after)
	pids := []int{cmd.Process.Pid}
	if image {
		pids = nil
		for pid, command := range b.Processes() {
			if strings.HasSuffix(strings.TrimSpace(command), "/hull-image") {
				pids = append(pids, pid)
			}
		}
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
	}
	_ = cmd.Wait() // it was killed, or says that hull-image was
	b.until("what was killed is gone", func() bool {
		for _, command := range b.Processes() {
			if strings.Contains(command, "/hull-image") || strings.HasPrefix(command, "hull ") || strings.HasPrefix(command, "storage-") {
				return false
			}
		}
		return true
	})
}
