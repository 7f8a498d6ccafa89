// Package lease keeps the addresses that DHCP servers lend to containers (RFC 2131): it asks for one, asks to have it longer
// in time, and gives it back. What is lent is remembered by nobody but the server and who called Take: after a death the next
// Take asks for the address that the container has.
//
// A socket is open while something is asked, and no longer: it is a packet socket, which sees all that the container gets.
package lease

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/errs"
	"hull.dev/hull/pkg/netns"
)

// How long a server is waited for, how often it is asked in that time, and how soon again when it has not answered.
const (
	patience = 8 * time.Second
	question = 2 * time.Second
	again    = 10 * time.Second
)

// glance is how often the clock is looked at: a timer stands still while the machine is suspended, and a lease does not.
const glance = 30 * time.Second

// Lease is what a server lends.
type Lease struct {
	Address netip.Prefix
	Gateway netip.Addr // zero: it names none
	Servers []netip.Addr
}

// Request is a container's interface that is to have an address.
type Request struct {
	Path      string // of the network namespace
	Interface string
	Hostname  string       // that the server is told
	Last      netip.Prefix // the address that it has from an earlier hull-net; zero: none
	// Changed is called when the server lends another address than before, which Take returns then, from a goroutine of its own.
	Changed func(context.Context)
}

// Keeper keeps leases. Make one with New; its methods may be called at the same time.
type Keeper struct {
	say func(string)

	mu   sync.Mutex
	held map[string]*held
	work sync.WaitGroup
}

// held is one lease.
type held struct {
	request Request
	cancel  context.CancelFunc
	settled chan struct{} // closed when there is an address, or none is to be had

	mu     sync.Mutex
	lease  Lease
	err    error           // why there is none
	latest *nclient4.Lease // nil while no server has answered
}

// New returns a keeper that complains to say.
func New(say func(string)) *Keeper { return &Keeper{say: say, held: map[string]*held{}} }

// Take asks for an address and keeps it until Give, under a key of the caller's. One that is kept already is returned. With an
// address that there is it returns at once, and the server is asked for that one meanwhile. After an end of ctx the address is
// kept as well, if there is to be one.
func (k *Keeper) Take(ctx context.Context, key string, r Request) (Lease, error) {
	h := k.hold(ctx, key, r)
	select {
	case <-h.settled:
	case <-ctx.Done():
		return Lease{}, context.Cause(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease, h.err
}

func (k *Keeper) hold(ctx context.Context, key string, r Request) *held {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.held[key]; h != nil {
		return h
	}
	h := &held{request: r, lease: Lease{Address: r.Last}, settled: make(chan struct{})}
	ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	k.held[key] = h
	k.work.Go(func() {
		if !r.Last.IsValid() && !k.first(ctx, key, h) {
			return
		}
		close(h.settled)
		k.keep(ctx, h)
	})
	return h
}

// first asks for the first address, and reports whether there is one to keep.
func (k *Keeper) first(ctx context.Context, key string, h *held) bool {
	err := h.ask(ctx)
	if err == nil {
		return true
	}
	h.mu.Lock()
	h.err = errs.WithHint(fmt.Errorf("no DHCP server lends an address on %s: %w", h.request.Interface, err), "hull network create --subnet does without")
	h.mu.Unlock()
	k.mu.Lock()
	if k.held[key] == h {
		delete(k.held, key)
	}
	k.mu.Unlock()
	h.cancel()
	close(h.settled)
	return false
}

func (h *held) now() Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease
}

// Give gives an address back; a key without one is fine.
func (k *Keeper) Give(key string) error {
	k.mu.Lock()
	h := k.held[key]
	delete(k.held, key)
	k.mu.Unlock()
	if h == nil {
		return nil
	}
	h.cancel()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.latest == nil || !netns.Mounted(h.request.Path) {
		return nil
	}
	return h.release()
}

// release tells the server, from the address that is given back. The frame goes to all on the network: whose MAC the server's
// is may not be known yet, and the interface is gone in a moment.
func (h *held) release() error {
	message, err := dhcpv4.NewReleaseFromACK(h.latest.ACK)
	if err != nil {
		return err
	}
	thread, err := netns.Enter(h.request.Path)
	if err != nil {
		return err
	}
	defer thread.Close()
	return thread.Do(func() error {
		link, err := net.InterfaceByName(h.request.Interface)
		if err != nil {
			return err
		}
		raw, err := packet.Listen(link, packet.Datagram, unix.ETH_P_IP, nil)
		if err != nil {
			return err
		}
		from := &net.UDPAddr{IP: h.lease.Address.Addr().AsSlice(), Port: nclient4.ClientPort}
		_, err = nclient4.NewBroadcastUDPConn(raw, from).WriteTo(message.ToBytes(), &net.UDPAddr{IP: h.latest.ACK.ServerIdentifier(), Port: nclient4.ServerPort})
		return errors.Join(err, raw.Close())
	})
}

// Close ends the keeping; the addresses stay lent.
func (k *Keeper) Close() {
	k.mu.Lock()
	for _, h := range k.held {
		h.cancel()
	}
	k.mu.Unlock()
	k.work.Wait()
}

// keep asks for the lease anew when half of its time is over, and again and again until a server answers.
func (k *Keeper) keep(ctx context.Context, h *held) {
	for wait := h.half(); ; {
		timer := time.NewTimer(min(wait, glance))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if wait > glance {
			wait = h.half()
			continue
		}
		before := h.now()
		err := h.ask(ctx)
		switch after := h.now(); {
		case ctx.Err() != nil:
			return
		case err != nil:
			k.say(fmt.Sprintf("address %s: %v", before.Address, err))
			wait = again
			continue
		case after.Address != before.Address:
			h.request.Changed(ctx)
		}
		wait = h.half()
	}
}

// half is the time until the lease is to be asked for again (RFC 2131, 4.4.5: T1); none where no server has answered.
func (h *held) half() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.latest == nil {
		return 0
	}
	ack := h.latest.ACK
	whole := ack.IPAddressLeaseTime(time.Hour)
	return max(until(h.latest.CreationTime.Add(ack.IPAddressRenewalTime(whole/2)), time.Now()), time.Second)
}

// until is the time from now to due by the clock on the wall or by the monotonic one, which stands still while the machine is
// suspended: by that which says that it is over sooner.
func until(due, now time.Time) time.Duration {
	return min(due.Sub(now), due.Round(0).Sub(now.Round(0)))
}

// client has a socket in the container's namespace.
func (h *held) client() (c *nclient4.Client, err error) {
	thread, err := netns.Enter(h.request.Path)
	if err != nil {
		return nil, err
	}
	defer thread.Close()
	err = thread.Do(func() error {
		c, err = nclient4.New(h.request.Interface, nclient4.WithTimeout(question), nclient4.WithRetry(int(patience/question)))
		return err
	})
	return c, err
}

// ask has the lease renewed, or a new one made where there is none or the server does not renew it.
func (h *held) ask(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := h.client()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if h.latest != nil {
		renewed, err := client.Renew(ctx, h.latest)
		if err == nil {
			return h.set(renewed)
		}
		_, refused := errors.AsType[*nclient4.ErrNak](err)
		if ends := h.latest.CreationTime.Add(h.latest.ACK.IPAddressLeaseTime(time.Hour)); !refused && until(ends, time.Now()) > 0 {
			return err
		}
	}
	var with []dhcpv4.Modifier
	if h.request.Hostname != "" {
		with = append(with, dhcpv4.WithOption(dhcpv4.OptHostName(h.request.Hostname)))
	}
	discover := with
	if h.latest == nil && h.lease.Address.IsValid() {
		discover = append(discover[:len(discover):len(discover)], dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(h.lease.Address.Addr().AsSlice())))
	}
	offer, err := client.DiscoverOffer(ctx, discover...)
	if err != nil {
		return err
	}
	lent, err := client.RequestFromOffer(ctx, offer, with...)
	if err != nil {
		return err
	}
	return h.set(lent)
}

// set takes what the server's answer says.
func (h *held) set(l *nclient4.Lease) error {
	ack := l.ACK
	address, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || address.IsUnspecified() {
		return errors.New("the server's answer has no address")
	}
	bits, _ := ack.SubnetMask().Size()
	if ack.SubnetMask() == nil {
		bits = address.BitLen()
	}
	h.lease = Lease{Address: netip.PrefixFrom(address, bits)}
	if routers := ack.Router(); len(routers) > 0 {
		h.lease.Gateway, _ = netip.AddrFromSlice(routers[0].To4())
	}
	for _, s := range ack.DNS() {
		if ip, ok := netip.AddrFromSlice(s.To4()); ok {
			h.lease.Servers = append(h.lease.Servers, ip)
		}
	}
	h.latest = l
	return nil
}
