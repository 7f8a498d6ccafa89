package processes

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// A name may hold brackets and spaces.
	text := "4711 (a) (b c) S 4700 4711 4711 34816 4711 4194560 105 0 0 0 150 50 0 0 20 5 1 0 1000 2322432 300 18446744073709551615 1 1 0 0"
	p := &process{}
	if err := p.parseStat(text, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if p.comm != "a) (b c" || p.state != "S" || p.hostParent != 4700 || p.pgid != 4711 || p.nice != 5 {
		t.Errorf("%+v", p)
	}
	if p.cpu != 2*time.Second || p.age != 10*time.Second || p.vsz != 2268 || p.rss != int64(300*os.Getpagesize()/1024) {
		t.Errorf("%+v", p)
	}
	if got := terminal(p.tty); got != "pts/0" {
		t.Errorf("terminal: %s", got)
	}
	for _, bad := range []string{"", "1 (a", "1 (a) S 1 2"} {
		if err := p.parseStat(bad, 0); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseStatus(t *testing.T) {
	p := &process{caps: map[string]uint64{}}
	p.parseStatus("Name:\tx\nUid:\t100\t101\t102\t103\nGid:\t1\t2\t3\t4\nGroups:\t7 8 \nNSpid:\t4711\t12\t1\nNSpgid:\t4700\t1\nCapEff:\t0000000000000021\nSeccomp:\t2\n")
	if p.pid != 1 || p.pgid != 1 || p.uids != [4]int{100, 101, 102, 103} || p.gids[1] != 2 || !slices.Equal(p.groups, []int{7, 8}) || p.seccomp != "filter" {
		t.Errorf("%+v", p)
	}
	tab := &table{lastCap: 40}
	if got := tab.capabilities(p.caps["CapEff"]); got != "CHOWN,KILL" {
		t.Errorf("capabilities: %s", got)
	}
	if tab.capabilities(0) != "none" || tab.capabilities(1<<41-1) != "full" {
		t.Error("none and full")
	}
}

func TestTerminal(t *testing.T) {
	for device, want := range map[int]string{0: "?", 136<<8 | 3: "pts/3", 137<<8 | 1: "pts/257", 4<<8 | 1: "tty1", 4<<8 | 64: "ttyS0", 5<<8 | 1: "?"} {
		if got := terminal(device); got != want {
			t.Errorf("%#x: %s, want %s", device, got, want)
		}
	}
}

func TestRanges(t *testing.T) {
	ranges := parseRanges("         0          1       1000\n      1000          0          1\n      1001       1001      64536\n")
	for outside, inside := range map[int]int{0: 1000, 1: 0, 1000: 999, 1001: 1001, 99999: overflow} {
		if got := toInside(ranges, outside); got != inside {
			t.Errorf("%d is %d inside, want %d", outside, got, inside)
		}
	}
	if toOutside(ranges, 1000) != 0 || toOutside(ranges, 70000) != overflow {
		t.Error("toOutside")
	}
}

func TestNames(t *testing.T) {
	n := parseNames([]byte("root:x:0:0::/:/bin/sh\ntoor:x:0:0\nbad\nweb:x:33:33\n"))
	if n.of(0) != "root" || n.of(33) != "web" || n.of(5) != "5" {
		t.Errorf("%v", n)
	}
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct{ words, want []string }{
		"none":   {nil, Default},
		"words":  {[]string{"pid", "args"}, []string{"pid", "args"}},
		"commas": {[]string{"pid,args,", "user"}, []string{"pid", "args", "user"}},
		"aix":    {[]string{"%p", "%C"}, []string{"pid", "pcpu"}},
	} {
		if got, err := Parse(c.words); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, word := range []string{"nosuch", "-eo", "pid,nosuch", "aux"} {
		if _, err := Parse([]string{word}); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", word, err)
		}
	}
}

// The test's own pid namespace is a container's as good as any.
func TestTable(t *testing.T) {
	rows, err := Table(Of{Init: os.Getpid(), Passwd: []byte("me:x:" + strconv.Itoa(os.Geteuid()) + ":1\n")}, Descriptors(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pid, user := slices.Index(rows[0], "HPID"), slices.Index(rows[0], "USER")
	i := slices.IndexFunc(rows, func(r []string) bool { return r[pid] == strconv.Itoa(os.Getpid()) })
	if i < 0 || rows[i][user] != "me" {
		t.Fatalf("the test is not in the table, or is not me: %d", i)
	}
	for c, cell := range rows[i] {
		if cell == "" && !slices.Contains([]string{"GROUPS", "HGROUPS"}, rows[0][c]) {
			t.Errorf("%s is empty", rows[0][c])
		}
	}
}
