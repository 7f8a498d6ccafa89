package filter

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/network"
)

// newTable makes tables in a namespace of the test's own.
func newTable(t *testing.T, root bool) *Table {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	path := filepath.Join(t.TempDir(), "ns")
	if err := netns.Create(path); err != nil {
		t.Fatal(err)
	}
	thread, err := netns.Enter(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := New(thread, Options{Root: root, DNSPort: domain})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
		thread.Close()
		if err := netns.Remove(path); err != nil {
			t.Error(err)
		}
	})
	return table
}

// The kernel answers each message of a transaction, and the answers have to find room in the socket: 200 networks, 1,000
// containers and as many ports do.
func TestMany(t *testing.T) {
	table := newTable(t, true)
	var networks []network.Network
	for i := range 200 {
		networks = append(networks, network.Network{
			ID: fmt.Sprintf("%064x", i), Interface: fmt.Sprintf("hull%d", i),
			Subnets: []network.Subnet{{Prefix: netip.MustParsePrefix(fmt.Sprintf("10.1.%d.0/24", i)), Gateway: netip.MustParseAddr(fmt.Sprintf("10.1.%d.1", i))}},
		})
		if err := table.SetNetworks(networks); err != nil {
			t.Fatalf("%d networks: %v", i, err)
		}
	}
	for i := range 1000 {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i % 250)})
		m := Member{HostEnd: fmt.Sprintf("hv%d", i), MAC: net.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)}, Addresses: []netip.Addr{a}}
		if err := table.Add(m.HostEnd, m); err != nil {
			t.Fatalf("%d containers: %v", i, err)
		}
	}
	var forwards []Forward
	for i := range 1000 {
		forwards = append(forwards, Forward{Protocol: unix.IPPROTO_TCP, HostPort: uint16(20000 + i), To: netip.MustParseAddrPort("10.1.0.2:80")})
	}
	if err := table.SetForwards("one", forwards); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(); err != nil {
		t.Fatal(err)
	}
	if err := table.SetForwards("one", nil); err != nil {
		t.Fatal(err)
	}
	if err := table.SetNetworks(nil); err != nil {
		t.Fatal(err)
	}
}
