package names

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

func servers(texts ...string) (all []netip.AddrPort) {
	for _, text := range texts {
		all = append(all, netip.AddrPortFrom(netip.MustParseAddr(text), 53))
	}
	return all
}

func TestParseResolvConf(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want resolver
	}{
		"empty":   {"", resolver{servers("127.0.0.1"), 5 * time.Second, 2, false}},
		"plain":   {"search a b\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n", resolver{servers("192.0.2.1", "fe80::1%eth0"), 5 * time.Second, 2, false}},
		"options": {"nameserver 127.0.0.53\noptions edns0 trust-ad\noptions rotate timeout:3 attempts:4\n", resolver{servers("127.0.0.53"), 3 * time.Second, 4, true}},
		"bounds":  {"nameserver ::1\noptions timeout:99999999999 attempts:99", resolver{servers("::1"), maxTimeout, maxAttempts, false}},
		"zero":    {"nameserver ::1\noptions timeout:0 attempts:0", resolver{servers("::1"), time.Second, 1, false}},
		"noise":   {"# nameserver 192.0.2.9\n; x\nnameserver\nnameserver host.example.net\nnameserver 192.0.2.1 \n", resolver{servers("192.0.2.1"), 5 * time.Second, 2, false}},
		"binary":  {"\x00\xff" + string(make([]byte, 1<<17)), resolver{servers("127.0.0.1"), 5 * time.Second, 2, false}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseResolvConf([]byte(c.file)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestResolvConfIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	u := &upstream{path: path, silent: make(map[netip.AddrPort]time.Time)}
	lines := 0
	expect := func(when, want string) {
		t.Helper()
		u.looked = time.Time{} // a second later
		if got := u.current(func(string) { lines++ }).servers; !slices.Equal(got, servers(want)) {
			t.Errorf("%s: %v, want %s", when, got, want)
		}
	}
	write := func(path, server string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("nameserver "+server+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect("missing", "127.0.0.1")
	write(path, "192.0.2.1")
	expect("made", "192.0.2.1")
	u.heard(servers("192.0.2.1")[0], false)
	write(path+".new", "192.0.2.2") // as long as the other, and in the same instant
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if got := u.current(nil).servers; !slices.Equal(got, servers("192.0.2.1")) {
		t.Errorf("looked at again within a second: %v", got)
	}
	expect("replaced", "192.0.2.2")
	if len(u.silent) != 0 {
		t.Error("what is known of the old servers is kept")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("about to be replaced", "192.0.2.2")
	if err := os.Symlink(path+".vpn", path); err != nil {
		t.Fatal(err)
	}
	write(path+".vpn", "192.0.2.3")
	expect("a link", "192.0.2.3")
	if lines != 1 {
		t.Errorf("%d lines were logged, want 1", lines)
	}
}

func TestOrder(t *testing.T) {
	u := &upstream{silent: make(map[netip.AddrPort]time.Time)}
	all := servers("192.0.2.1", "192.0.2.2", "192.0.2.3")
	expect := func(when string, rotate bool, want ...string) {
		t.Helper()
		if got := u.order(all, rotate); !slices.Equal(got, servers(want...)) {
			t.Errorf("%s: %v", when, got)
		}
	}
	expect("at first", false, "192.0.2.1", "192.0.2.2", "192.0.2.3")
	expect("rotated", true, "192.0.2.2", "192.0.2.3", "192.0.2.1")
	expect("rotated again", true, "192.0.2.3", "192.0.2.1", "192.0.2.2")
	u.heard(all[0], false)
	expect("one silent", false, "192.0.2.2", "192.0.2.3", "192.0.2.1")
	u.heard(all[0], true)
	expect("heard again", false, "192.0.2.1", "192.0.2.2", "192.0.2.3")
	u.silent[all[0]] = time.Now().Add(-silentFor)
	expect("long ago", false, "192.0.2.1", "192.0.2.2", "192.0.2.3")
	u.heard(all[1], false)
	if len(u.silent) != 1 {
		t.Error("what was long ago is kept")
	}
}
