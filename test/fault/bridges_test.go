package fault

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hull.dev/hull/test/env"
)

// Sizes of the cases of many; issue 5 names 200 containers, 50 networks and 1,000 ports.
var (
	manyContainers = flag.Int("containers", 12, "containers on one network")
	manyNetworks   = flag.Int("networks", 12, "networks with a container each")
	manyPorts      = flag.Int("ports", 300, "published ports of one container")
)

// bridges are the cases of containers on networks and of the processes that serve them.
func (s *suite) bridges(t *testing.T) {
	for name, fn := range map[string]func(*box){
		"net/killed":            netKilled,
		"net/killed-idle":       netKilledIdle,
		"net/hangs":             netHangs,
		"net/uplink-killed":     uplinkKilled,
		"net/check":             netCheck,
		"net/sixteen-at-once":   sixteenAtOnce,
		"net/many-containers":   containersOnOne,
		"net/many-networks":     networksOfOne,
		"net/many-ports":        portsOfOne,
		"net/broken-definition": brokenDefinition,
	} {
		s.run(t, name, func(t *testing.T) {
			t.Helper()
			fn(filled(t, s.base))
		})
	}
}

// lost is how long what hull-net holds may be away when it was killed.
const lost = 2 * time.Second

// server is a container on network one that tells its clients their address on $PORT.
const server = "run -d --name web --network one -p $PORT:80 -v $PEERS:/peers:ro busybox /peers 80"

// netPID is hull-net's pid, 0 when there is none.
func (b *box) netPID() int {
	b.t.Helper()
	for pid, command := range b.Processes() {
		if strings.Contains(command, "hull-net --dir ") && !strings.Contains(command, "hull-net uplink ") {
			return pid
		}
	}
	return 0
}

// answers reports whether the published port leads to the container, which sees the real client.
func (b *box) answers() bool {
	out, err := env.FromLan(b.base, "tcp", env.HostIP+":"+itoa(b.Ports[0]), "hello")
	return err == nil && strings.HasPrefix(out, env.LanIP+":")
}

// inTime waits for a condition as long as what hull-net holds may be away, measured from the kill.
func (b *box) inTime(since time.Time, what string, cond func() bool) {
	b.t.Helper()
	b.until(what, cond)
	if took := time.Since(since); took > lost {
		b.t.Errorf("%s: it took %s", what, took)
	}
}

// netKilled: with no command typed names and ports are back in time, and a connection between containers goes on.
func netKilled(b *box) {
	b.must("network create one")
	b.must(server)
	b.must("run -d --name echo --network one busybox nc -ll -p 90 -e cat")
	talk := "while sleep 0.05; do echo x; done | nc " + b.address("echo") + " 90 > /got"
	b.must("run -d --name talk --network one busybox sh -c '" + talk + "'")
	b.until("the service answers", b.answers)
	got := func() int {
		n, _ := strconv.Atoi(strings.TrimSpace(b.do("exec talk sh -c 'wc -c < /got'").stdout))
		return n
	}
	b.until("the connection carries something", func() bool { return got() > 0 })
	for range 2 {
		before := b.netPID()
		b.slay(before)
		killed := time.Now()
		b.inTime(killed, "the port answers again", b.answers)
		if now := b.netPID(); now == before || now == 0 {
			b.t.Errorf("hull-net was process %d and is %d", before, now)
		}
		b.until("names are found again", func() bool { return b.do("exec echo nslookup -type=a talk").ok() })
		carried := got()
		b.until("the connection goes on", func() bool { return got() > carried })
	}
	if state := b.must("inspect --format {{.State.Status}} talk"); state != "running" {
		b.t.Errorf("the connection was cut: the container is %s", state)
	}
	b.must("rm -f -t0 echo")
	b.end()
}

// address is that of a container on network one.
func (b *box) address(name string) string {
	b.t.Helper()
	return b.must("inspect --format '{{(index .NetworkSettings.Networks \"one\").IPAddress}}' " + name)
}

// monitorsEnd waits for the monitors: one that is there yet would start the next hull-net.
func (b *box) monitorsEnd() {
	b.t.Helper()
	b.until("no monitor is left", func() bool {
		for _, command := range b.Processes() {
			if strings.HasPrefix(command, "hull-conmon") {
				return false
			}
		}
		return true
	})
}

// netKilledIdle: the next container finds what a hull-net that nobody needed left; and where none comes, the check has it taken
// away.
func netKilledIdle(b *box) {
	b.must("network create one")
	b.must("run --rm --network one busybox true")
	b.monitorsEnd()
	b.slay(b.netPID())
	b.must("run --rm --network one busybox nc -w5 " + env.LanIP + " " + itoa(env.LanPort))
	b.monitorsEnd()
	b.slay(b.netPID())
	b.must("system check")
	b.end()
}

// netHangs: a hull-net that does not answer is a finding, and another takes its place.
func netHangs(b *box) {
	b.must("network create one")
	b.must(server)
	b.until("the service answers", b.answers)
	hung := b.netPID()
	if err := unix.Kill(hung, unix.SIGSTOP); err != nil {
		b.t.Fatal(err)
	}
	want := fmt.Sprintf("hull-net: process %d is there and does not answer", hung)
	if r := b.do("system check"); r.ok() || !strings.Contains(r.stdout, want) {
		b.t.Errorf("want %q: %s", want, r)
	}
	b.must("system check --repair")
	if now := b.netPID(); now == hung || now == 0 {
		b.t.Errorf("hull-net was process %d and is %d", hung, now)
	}
	b.until("the service answers again", b.answers)
	b.end()
}

// uplinkKilled: the way out is there again in time.
func uplinkKilled(b *box) {
	b.must("network create one")
	b.must(server)
	out := func() bool { return b.do("exec web nc -w1 " + env.LanIP + " " + itoa(env.LanPort)).ok() }
	b.until("there is a way out", out)
	b.slay(b.uplinkPID())
	b.inTime(time.Now(), "there is a way out again", out)
	b.end()
}

// uplinkPID is the way out's pid.
func (b *box) uplinkPID() int {
	b.t.Helper()
	for pid, command := range b.Processes() {
		name := filepath.Base(strings.Fields(command + " -")[0])
		if name == "slirp4netns" || strings.HasPrefix(name, "pasta") || strings.Contains(command, "hull-net uplink ") {
			return pid
		}
	}
	b.t.Fatalf("there is no uplink: %v", b.Processes())
	return 0
}

// netCheck: a container that is gone and was not taken off its networks is a finding, and taken off.
func netCheck(b *box) {
	b.must("network create one")
	b.must(server)
	id := b.must("inspect --format {{.Id}} web")
	files, err := filepath.Glob(filepath.Join(b.Dir, "run/hull/*/net/a", id))
	if err != nil || len(files) != 1 {
		b.t.Fatalf("the attachment: %v, %v", files, err)
	}
	attachment, err := os.ReadFile(files[0])
	if err != nil {
		b.t.Fatal(err)
	}
	b.must("rm -f -t0 web")
	guard := b.uplinkPID()
	b.slay(b.netPID())
	b.slay(guard) // else it starts the next
	if err := os.WriteFile(files[0], attachment, 0o600); err != nil {
		b.t.Fatal(err)
	}
	r := b.do("system check")
	for _, want := range []string{"container " + id[:12] + ": it is not known, and its place on the networks is there", "hull-net does not run, and 1 containers are on networks"} {
		if r.ok() || !strings.Contains(r.stdout, want) {
			b.t.Errorf("want %q: %s", want, r)
		}
	}
	b.must("system check --repair")
	b.end()
}

// brokenDefinition: the file of a network that cannot be read is a finding that names it.
func brokenDefinition(b *box) {
	b.must("network create one")
	files, err := filepath.Glob(filepath.Join(b.Dir, "data/containers/storage/hull/networks/one.json"))
	if err != nil || len(files) != 1 {
		b.t.Fatalf("the definition: %v, %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("{"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if r := b.do("system check"); r.ok() || !strings.Contains(r.stdout, files[0]) {
		b.t.Errorf("%s", r)
	}
	if err := os.Remove(files[0]); err != nil {
		b.t.Fatal(err)
	}
	b.end()
}

// sixteenAtOnce: each gets an address of its own.
func sixteenAtOnce(b *box) {
	b.must("network create one")
	b.startMany(16, 16, func(int) string { return "--network one" })
	b.different(16)
	b.end()
}

// startMany starts containers c0, c1 … that sleep, some at a time.
func (b *box) startMany(count, atOnce int, flags func(i int) string) {
	b.t.Helper()
	for first := 0; first < count; first += atOnce {
		var lines []string
		for i := first; i < min(count, first+atOnce); i++ {
			lines = append(lines, fmt.Sprintf("run -d --name c%d %s busybox sleep 1000", i, flags(i)))
		}
		for _, r := range b.together(lines...) {
			if !r.ok() {
				b.t.Errorf("%s", r)
			}
		}
	}
}

// different fails the case if containers c0, c1 … on network one do not have an address each.
func (b *box) different(count int) {
	b.t.Helper()
	holders := map[string]int{}
	for i := range count {
		address := b.address("c" + itoa(i))
		if other, taken := holders[address]; taken || address == "" {
			b.t.Errorf("c%d has address %q, as c%d", i, address, other)
		}
		holders[address] = i
	}
}

// costs logs what hull-net takes.
func (b *box) costs(what string, began time.Time) {
	b.t.Helper()
	status, err := os.ReadFile("/proc/" + itoa(b.netPID()) + "/status")
	if err != nil {
		b.t.Fatal(err)
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	rss, _, _ = strings.Cut(rss, "\n")
	b.t.Logf("%s: %s, and hull-net has %s", what, time.Since(began).Round(time.Millisecond), strings.TrimSpace(rss))
}

func containersOnOne(b *box) {
	b.NoKeyrings(b.t)
	b.must("network create one")
	began := time.Now()
	b.startMany(*manyContainers, 4, func(int) string { return "--network one" })
	b.costs(fmt.Sprintf("%d containers on a network", *manyContainers), began)
	b.different(*manyContainers)
	if r := b.do("exec c0 nslookup -type=a c" + itoa(*manyContainers-1)); !r.ok() {
		b.t.Errorf("%s", r)
	}
	b.end()
}

func networksOfOne(b *box) {
	began := time.Now()
	for i := range *manyNetworks {
		b.must("network create n" + itoa(i))
	}
	b.startMany(*manyNetworks, 4, func(i int) string { return "--network n" + itoa(i) })
	b.costs(fmt.Sprintf("%d networks with a container each", *manyNetworks), began)
	for _, i := range []int{0, *manyNetworks - 1} {
		b.must(fmt.Sprintf("exec c%d nc -w5 %s %d", i, env.LanIP, env.LanPort))
	}
	b.end()
}

func portsOfOne(b *box) {
	b.must("network create one")
	const first = 10000
	var publish strings.Builder
	for i := range *manyPorts {
		fmt.Fprintf(&publish, " -p %d:80", first+i)
	}
	began := time.Now()
	b.must("run -d --name web --network one -v $PEERS:/peers:ro" + publish.String() + " busybox /peers 80")
	b.costs(fmt.Sprintf("%d published ports", *manyPorts), began)
	for _, i := range []int{0, *manyPorts / 2, *manyPorts - 1} {
		b.until("port "+itoa(first+i)+" answers", func() bool {
			out, err := env.FromLan(b.base, "tcp", env.HostIP+":"+itoa(first+i), "hello")
			return err == nil && strings.HasPrefix(out, env.LanIP+":")
		})
	}
	b.end()
}
