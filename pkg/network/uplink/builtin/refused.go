package builtin

import (
	buffers "gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// refused tells the namespace, in the name of who was asked, that nobody listens on a port of UDP (RFC 792, RFC 4443). The
// message quotes the beginning of a datagram of that flow, by which its sender is found.
func (g *gate) refused(id stack.TransportEndpointID) {
	udp := header.UDPFields{SrcPort: id.RemotePort, DstPort: id.LocalPort, Length: header.UDPMinimumSize}
	if id.LocalAddress.Len() == header.IPv6AddressSize {
		const head, quoted = header.ICMPv6DstUnreachableMinimumSize, header.IPv6MinimumSize
		message := make([]byte, head+quoted+header.UDPMinimumSize)
		header.IPv6(message[head:]).Encode(&header.IPv6Fields{
			PayloadLength: header.UDPMinimumSize, TransportProtocol: header.UDPProtocolNumber, HopLimit: 1,
			SrcAddr: id.RemoteAddress, DstAddr: id.LocalAddress,
		})
		header.UDP(message[head+quoted:]).Encode(&udp)
		h := header.ICMPv6(message)
		h.SetType(header.ICMPv6DstUnreachable)
		h.SetCode(header.ICMPv6PortUnreachable)
		h.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: h, Src: id.LocalAddress, Dst: id.RemoteAddress}))
		g.write(id, header.IPv6ProtocolNumber, header.ICMPv6ProtocolNumber, message)
		return
	}
	const head, quoted = header.ICMPv4MinimumSize, header.IPv4MinimumSize
	message := make([]byte, head+quoted+header.UDPMinimumSize)
	ip := header.IPv4(message[head:])
	ip.Encode(&header.IPv4Fields{
		TotalLength: quoted + header.UDPMinimumSize, Protocol: uint8(header.UDPProtocolNumber), TTL: 1,
		SrcAddr: id.RemoteAddress, DstAddr: id.LocalAddress,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	header.UDP(message[head+quoted:]).Encode(&udp)
	h := header.ICMPv4(message)
	h.SetType(header.ICMPv4DstUnreachable)
	h.SetCode(header.ICMPv4PortUnreachable)
	h.SetChecksum(header.ICMPv4Checksum(h, 0))
	g.write(id, header.IPv4ProtocolNumber, header.ICMPv4ProtocolNumber, message)
}

// write sends a message to the namespace as one of the address that was asked.
func (g *gate) write(id stack.TransportEndpointID, network tcpip.NetworkProtocolNumber, transport tcpip.TransportProtocolNumber, message []byte) {
	route, failed := g.network.FindRoute(nic, id.LocalAddress, id.RemoteAddress, network, false)
	if failed != nil {
		return
	}
	defer route.Release()
	packet := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(route.MaxHeaderLength()), Payload: buffers.MakeWithData(message),
	})
	defer packet.DecRef()
	_ = route.WritePacket(stack.NetworkHeaderParams{Protocol: transport, TTL: route.DefaultTTL()}, packet)
}
