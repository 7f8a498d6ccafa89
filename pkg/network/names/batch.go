package names

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

// batch is how many questions are read, and how many answers sent, by one system call. When there are many the calls, and
// the waking of those who wait, cost more than the answers do.
const batch = 16

// batches are what one address reads and writes at a time.
type batches struct {
	conn      *ipv4.PacketConn // its batches are of both families
	questions []ipv4.Message
	answers   []ipv4.Message
	room      []byte // for the answers
	left      []byte // what is left of it
}

func newBatches(conn *net.UDPConn) *batches {
	b := &batches{conn: ipv4.NewPacketConn(conn), questions: make([]ipv4.Message, batch), answers: make([]ipv4.Message, 0, batch)}
	// In one piece, of which the pages that nobody uses are never there.
	all := make([]byte, batch*maxMessage+2*maxRoom)
	for i := range b.questions {
		b.questions[i].Buffers = [][]byte{all[:maxMessage:maxMessage]}
		all = all[maxMessage:]
	}
	b.room, b.left = all, all
	return b
}

// add takes an answer that was made in what is left of the room.
func (b *batches) add(reply []byte, to net.Addr) {
	b.answers = append(b.answers, ipv4.Message{Addr: to, Buffers: [][]byte{reply}})
	if len(reply) <= len(b.left) && &reply[0] == &b.left[0] {
		b.left = b.left[len(reply):]
	}
	if len(b.left) < maxRoom {
		b.send()
	}
}

// send sends the answers. Who has gone meanwhile does not get one.
func (b *batches) send() {
	for list := b.answers; len(list) > 0; {
		n, err := b.conn.WriteBatch(list, 0)
		if err != nil {
			n = 1 // the first is the one that cannot be sent
		}
		list = list[n:]
	}
	b.answers, b.left = b.answers[:0], b.room
}

// serveUDP answers what it can at once; a question that is asked elsewhere gets a goroutine.
func (s *Server) serveUDP(ctx context.Context, z *zone, k *socket) {
	b := newBatches(k.udp)
	for {
		n, err := b.conn.ReadBatch(b.questions, 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		for _, m := range b.questions[:n] {
			s.serveQuestion(ctx, z, k, b, m)
		}
		b.send()
	}
}

func (s *Server) serveQuestion(ctx context.Context, z *zone, k *socket, b *batches, m ipv4.Message) {
	udp, ok := m.Addr.(*net.UDPAddr)
	if !ok {
		return
	}
	from := udp.AddrPort()
	asker := from.Addr().Unmap().WithZone("")
	if !s.allowed(z, asker) {
		return
	}
	reply, a := s.answer(z, asker, m.Buffers[0][:m.N], b.left, false)
	if a != nil {
		if z.enqueue(asker) {
			k.work.Go(func() { k.send(s.forward(ctx, z, asker, a), from) })
			return
		}
		reply = a.failed()
	}
	if len(reply) > 0 {
		b.add(reply, m.Addr)
	}
}

// send sends an answer, if there is one.
func (k *socket) send(reply []byte, to netip.AddrPort) {
	if len(reply) > 0 {
		_, _ = k.udp.WriteToUDPAddrPort(reply, to)
	}
}
