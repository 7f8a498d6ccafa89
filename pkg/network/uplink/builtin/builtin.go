// Package builtin is the uplink that needs no other program: a TCP/IP stack in user space, gVisor's, behind a tun device in
// the namespace, that ends the connections which leave it and makes them again from the host. hull-net runs it as a process of
// its own ("hull-net uplink"), so that connections to the world live on when hull-net is killed. hull does not link it.
//
//	namespace: tun0 10.0.2.100/24, fd00::100/64, default route ── packets ── stack ── sockets of the host
//
// 10.0.2.2 and fd00::2 are the gateway: with Loopback the host's 127.0.0.1 and ::1, else nothing answers there. The host's other
// addresses are reached as they are. TCP, UDP and echo requests (ping) go through; the last where the host's
// net.ipv4.ping_group_range has a group of the user, else they get no answer. Who sends a datagram to a port where nobody listens is
// told so; other errors of the world (unreachable, time exceeded) are not passed on.
package builtin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"hull.dev/hull/pkg/netns"
	"hull.dev/hull/pkg/resident"
)

const (
	device = "tun0"
	mtu    = 65520 // bytes; large, since each packet costs two system calls and a walk through the stack
	nic    = 1

	maxDials = 1024             // connections that wait for the world's answer
	dialTime = 20 * time.Second // for that answer

	quiet = time.Second // after which it gives back what it does not need while it waits

	// Bytes of a connection's sending and of its receiving, first and at most. Nothing is far away in here, so that more would
	// only be cold in the cache; the host's sockets have what the world needs.
	buffer, maxBuffer = 128 << 10, 512 << 10
)

// The networks of the device, the same as slirp4netns has them (slirp4netns(1)).
var (
	net4, gateway4 = netip.MustParsePrefix("10.0.2.100/24"), netip.MustParseAddr("10.0.2.2")
	net6, gateway6 = netip.MustParsePrefix("fd00::100/64"), netip.MustParseAddr("fd00::2")
)

// Options of an uplink.
type Options struct {
	Path     string // of the namespace
	Loopback bool   // the gateway's addresses reach the host's loopback
	Ready    func() error
}

// Run makes the device in the namespace, calls Ready, and forwards until ctx is done.
func Run(ctx context.Context, o Options) error {
	thread, err := netns.Enter(o.Path)
	if err != nil {
		return err
	}
	var fd int
	err = thread.Do(func() error {
		if fd, err = openDevice(); err == nil {
			err = configure()
		}
		return err
	})
	thread.Close()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	g := &gate{ctx: ctx, loopback: o.Loopback, flows: make(chan struct{}, maxFlows), done: resident.After(quiet)}
	s, err := g.stack(fd)
	if err != nil {
		return fmt.Errorf("start the network stack: %w", err)
	}
	defer s.Destroy()
	if err := o.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// openDevice makes the device in the thread's namespace, where it is for as long as it is open.
func openDevice() (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	request, err := unix.NewIfreq(device)
	if err != nil {
		return 0, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return 0, errors.Join(os.NewSyscallError("ioctl TUNSETIFF "+device, err), unix.Close(fd))
	}
	return fd, nil
}

// configure gives the device its addresses and the default routes. IPv6 may be off.
func configure() error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("set the MTU of %s: %w", device, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("turn on %s: %w", device, err)
	}
	for _, n := range []netip.Prefix{net4, net6} {
		gateway, all := gateway4, netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if n.Addr().Is6() {
			gateway, all = gateway6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(n), Flags: unix.IFA_F_NODAD})
		if n.Addr().Is6() && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("add address %s to %s: %w", n, device, err)
		}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(all), Gw: gateway.AsSlice()}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("add the default route by %s: %w", gateway, err)
		}
	}
	awaitLocal(net6.Addr())
	return nil
}

// settling is how long the kernel may take to take an address over.
const settling = time.Second

// awaitLocal waits until the kernel takes packets for an address of IPv6: a worker of its own makes the route, a moment after the
// address was added. The first answer to come in would be lost. Later than settling it is soon.
func awaitLocal(address netip.Addr) {
	for deadline := time.Now().Add(settling); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		routes, err := netlink.RouteGet(address.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return
		}
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// stack starts one that takes all addresses for its own.
func (g *gate) stack(fd int) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	g.network = s
	device, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: mtu, RXChecksumOffload: true})
	if err != nil {
		return nil, err
	}
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	all4, all6 := header.IPv4EmptySubnet, header.IPv6EmptySubnet
	s.SetRouteTable([]tcpip.Route{{Destination: all4, NIC: nic}, {Destination: all6, NIC: nic}})
	for _, err := range []tcpip.Error{
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack),
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &moderate),
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: buffer, Max: maxBuffer}),
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: buffer, Max: maxBuffer}),
		s.SetOption(tcpip.ReceiveBufferSizeOption{Min: 4 << 10, Default: maxBuffer, Max: maxBuffer}), // of UDP
		s.CreateNIC(nic, device),
		s.SetPromiscuousMode(nic, true),
		s.SetSpoofing(nic, true),
	} {
		if err != nil {
			return nil, errors.New(err.String())
		}
	}
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, tcp.NewForwarder(s, 0, maxDials, g.tcp).HandlePacket)
	s.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(s, g.udp).HandlePacket)
	e := &echoes{gate: g, log: os.Stderr, flows: map[stack.TransportEndpointID]*echo{}}
	s.SetTransportProtocolHandler(icmp.ProtocolNumber4, e.request)
	s.SetTransportProtocolHandler(icmp.ProtocolNumber6, e.request)
	return s, nil
}
