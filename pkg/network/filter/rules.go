package filter

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// builder fills one transaction.
type builder struct {
	conn  *nftables.Conn
	table *nftables.Table
	sets  *sets // what is made is noted there
	err   error // the first
}

func (b *builder) chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority) *nftables.Chain {
	return b.conn.AddChain(&nftables.Chain{
		Name: name, Table: b.table, Type: kind, Hooknum: hook, Priority: &priority,
	})
}

func (b *builder) rule(c *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	b.conn.AddRule(&nftables.Rule{Table: b.table, Chain: c, Exprs: all})
	b.sets.rules[c]++
}

func (b *builder) set(s nftables.Set) *nftables.Set {
	s.Table = b.table
	if s.KeyType == nftables.TypeIFName {
		s.KeyByteOrder = binaryutil.NativeEndian // for nft list ruleset: else it shows empty names
	}
	b.keep(b.conn.AddSet(&s, nil))
	b.sets.made = append(b.sets.made, &s)
	return &s
}

func concatType(parts ...nftables.SetDatatype) nftables.SetDatatype {
	return nftables.MustConcatSetType(parts...)
}

// build puts both tables, with the networks, into the transaction.
func (t *Table) build() (*sets, error) {
	t.drop()
	s := &sets{root: t.options.Root, dns: t.options.DNSPort, vrf: t.onVRF(), rules: map[*nftables.Chain]int{}}
	b := &builder{conn: t.conn, sets: s, table: t.conn.AddTable(&nftables.Table{Name: t.options.Name, Family: nftables.TableFamilyINet})}
	s.buildNetworks(b)
	s.buildForward(b)
	s.buildPostrouting(b)
	s.buildPrerouting(b)
	if !t.options.Root {
		s.buildInput(b)
	}
	b.table = t.conn.AddTable(&nftables.Table{Name: t.options.Name, Family: nftables.TableFamilyBridge})
	s.buildBridge(b)
	b.keep(s.fillNetworks(t.conn, t.networks))
	return s, b.err
}

func (b *builder) keep(err error) {
	if b.err == nil {
		b.err = err
	}
}

// buildNetworks makes the sets of networks. All rules look into them, so that a network that comes or goes changes no rule.
func (s *sets) buildNetworks(b *builder) {
	name := nftables.TypeIFName
	for _, one := range []struct {
		set  **nftables.Set
		name string
		key  []nftables.SetDatatype
	}{
		{&s.bridges, "bridges", []nftables.SetDatatype{name}},
		{&s.internal, "internal", []nftables.SetDatatype{name}},
		{&s.isolated, "isolated", []nftables.SetDatatype{name}},
		{&s.strict, "strict", []nftables.SetDatatype{name}},
		{&s.open, "open", []nftables.SetDatatype{name}},
		{&s.within, "within", []nftables.SetDatatype{name, name}},
		{&s.separate, "separate", []nftables.SetDatatype{name, name}},
		{&s.servers4, "servers4", []nftables.SetDatatype{name, nftables.TypeIPAddr}},
		{&s.servers6, "servers6", []nftables.SetDatatype{name, nftables.TypeIP6Addr}},
	} {
		set := nftables.Set{Name: one.name, KeyType: one.key[0]}
		if len(one.key) > 1 {
			set.Concatenation, set.KeyType = true, concatType(one.key...)
		}
		*one.set = b.set(set)
	}
}

func (s *sets) buildForward(b *builder) {
	c := b.chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter)
	inputs := []expr.MetaKey{expr.MetaKeyIIFNAME}
	if s.vrf { // there the interface that a packet came by is the VRF device, with the bridge below
		inputs = append(inputs, slaveName)
	}
	for _, input := range inputs {
		b.rule(c, meta(input), lookup(s.internal, false), verdict(expr.VerdictDrop))
	}
	b.rule(c, out(s.internal), verdict(expr.VerdictDrop))
	b.rule(c, known(), verdict(expr.VerdictAccept))
	b.rule(c, translated(), verdict(expr.VerdictAccept))
	for _, input := range inputs {
		b.rule(c, inOut(input), lookup(s.separate, false), verdict(expr.VerdictDrop))
		b.rule(c, meta(input), lookup(s.isolated, false), out(s.isolated), verdict(expr.VerdictDrop))
		b.rule(c, meta(input), lookup(s.strict, false), out(s.bridges), verdict(expr.VerdictDrop))
		b.rule(c, meta(input), lookup(s.bridges, false), out(s.strict), verdict(expr.VerdictDrop))
	}
}

// slaveName is the name of the interface below a VRF device that a packet came by (linux/netfilter/nf_tables.h,
// NFT_META_SDIFNAME, from Linux 5.6 on).
const slaveName expr.MetaKey = 34

// buildPostrouting gives what leaves a network the address of where it goes out; and what a container sends to itself by a
// published port, which would else be answered past the translation.
func (s *sets) buildPostrouting(b *builder) {
	c := b.chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource)
	b.rule(c, inOut(expr.MetaKeyIIFNAME), lookup(s.within, false), translated(), masquerade())
	b.rule(c, inOut(expr.MetaKeyIIFNAME), lookup(s.within, false), verdict(expr.VerdictAccept))
	for _, multicast := range []string{"224.0.0.0/4", "ff00::/8"} {
		b.rule(c, in(s.open), notTo(netip.MustParsePrefix(multicast)), masquerade())
	}
	if s.vrf { // where others may be on the device, too
		address := []nftables.SetDatatype{nftables.TypeIPAddr, nftables.TypeIP6Addr}
		for i, source := range [][]expr.Any{payload(expr.PayloadBaseNetworkHeader, 12, 4), payload(expr.PayloadBaseNetworkHeader, 8, 16)} {
			set := b.set(nftables.Set{Name: []string{"behind4", "behind6"}[i], Concatenation: true, KeyType: concatType(nftables.TypeIFName, address[i])})
			all := netip.MustParsePrefix([]string{"224.0.0.0/4", "ff00::/8"}[i])
			b.rule(c, notTo(all), pair(source), lookup(set, false), masquerade())
			s.behind[i] = set
		}
	}
}

// buildInput keeps containers from all that listens in the namespace but the name servers, each from its own network.
func (s *sets) buildInput(b *builder) {
	c := b.chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, *nftables.ChainPriorityFilter)
	b.rule(c, known(), verdict(expr.VerdictAccept))
	b.rule(c, meta(expr.MetaKeyIIFNAME), equal(ifname("lo")), verdict(expr.VerdictAccept))
	asked := []expr.Any{}
	if s.moved() { // by its own port it is not for them
		asked = translated()
	}
	for _, server := range s.servers() {
		for _, protocol := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			b.rule(c, server, port(protocol, s.dns), asked, verdict(expr.VerdictAccept))
		}
	}
	for _, protocol := range []byte{unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6} {
		b.rule(c, transport(protocol), verdict(expr.VerdictAccept))
	}
	b.rule(c, []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}})
}

// domain is the port that name servers are asked at (RFC 1035, 4.2).
const domain = 53

// moved reports whether the name servers listen elsewhere than where they are asked.
func (s *sets) moved() bool { return s.dns != domain }

// servers match what is sent to the name server of the network that it comes from, in either family.
func (s *sets) servers() [][]expr.Any {
	return [][]expr.Any{
		slices.Concat(family(unix.NFPROTO_IPV4), pair(payload(expr.PayloadBaseNetworkHeader, 16, 4)), lookup(s.servers4, false)),
		slices.Concat(family(unix.NFPROTO_IPV6), pair(payload(expr.PayloadBaseNetworkHeader, 24, 16)), lookup(s.servers6, false)),
	}
}

// buildPrerouting leads to the name servers, where they have another port, and to published ports.
func (s *sets) buildPrerouting(b *builder) {
	if !s.root && !s.moved() {
		return
	}
	c := b.chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest)
	if s.moved() {
		for i, server := range s.servers() {
			for _, protocol := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
				b.rule(c, server, port(protocol, domain), toPort([]uint32{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}[i], s.dns))
			}
		}
	}
	if s.root {
		s.buildPublished(b, c)
	}
}

// buildPublished translates what comes to a published port of the host, from elsewhere and from the host itself. What is
// sent to a loopback address is not: the kernel does not route it.
func (s *sets) buildPublished(b *builder, pre *nftables.Chain) {
	service := []nftables.SetDatatype{nftables.TypeInetProto, nftables.TypeInetService}
	for _, f := range []struct {
		any, own **nftables.Set
		address  nftables.SetDatatype
		suffix   string
	}{{&s.any4, &s.own4, nftables.TypeIPAddr, "4"}, {&s.any6, &s.own6, nftables.TypeIP6Addr, "6"}} {
		to := concatType(f.address, nftables.TypeInetService)
		*f.any = b.set(nftables.Set{Name: "any" + f.suffix, IsMap: true, Concatenation: true, KeyType: concatType(service...), DataType: to})
		*f.own = b.set(nftables.Set{Name: "own" + f.suffix, IsMap: true, Concatenation: true, KeyType: concatType(service[0], f.address, service[1]), DataType: to})
	}
	out := b.chain("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, *nftables.ChainPriorityNATDest)
	loopback := map[bool]netip.Prefix{true: netip.MustParsePrefix("::1/128"), false: netip.MustParsePrefix("127.0.0.0/8")}
	for _, c := range []*nftables.Chain{pre, out} {
		for _, six := range []bool{false, true} {
			each, own := s.any4, s.own4
			if six {
				each, own = s.any6, s.own6
			}
			where := [][]expr.Any{local(false)}
			if s.vrf && c == pre { // the routes there do not say that the host has the address, but those of the interface's
				where = append(where, local(true))
			}
			for _, here := range where {
				b.rule(c, notTo(loopback[six]), here, publishedOn(own, six, true))
				b.rule(c, notTo(loopback[six]), here, publishedOn(each, six, false))
			}
		}
	}
}

// buildBridge drops what a container sends with a MAC or an address that is another's.
func (s *sets) buildBridge(b *builder) {
	name := nftables.TypeIFName
	s.ends = b.set(nftables.Set{Name: "ends", KeyType: name})
	s.bound = b.set(nftables.Set{Name: "bound", KeyType: name})
	s.macs = b.set(nftables.Set{Name: "macs", Concatenation: true, KeyType: concatType(name, nftables.TypeEtherAddr)})
	s.v4 = b.set(nftables.Set{Name: "addresses4", Concatenation: true, KeyType: concatType(name, nftables.TypeIPAddr)})
	s.v6 = b.set(nftables.Set{Name: "addresses6", Concatenation: true, KeyType: concatType(name, nftables.TypeIP6Addr)})
	c := b.chain("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, -300)
	drop := verdict(expr.VerdictDrop)
	icmp := func(kind byte) []expr.Any {
		return append(transport(unix.IPPROTO_ICMPV6), append(payload(expr.PayloadBaseTransportHeader, 0, 1), equal([]byte{kind})...)...)
	}
	const neighborAdvertisement, routerAdvertisement, redirect = 136, 134, 137
	b.rule(c, notIn(s.ends), verdict(expr.VerdictAccept))
	b.rule(c, spoofed(s.macs, payload(expr.PayloadBaseLLHeader, 6, 6)), drop)
	b.rule(c, etherType(unix.ETH_P_ARP), spoofed(s.macs, payload(expr.PayloadBaseNetworkHeader, 8, 6)), drop)
	for _, kind := range []byte{routerAdvertisement, redirect} { // no container is a router of its network
		b.rule(c, etherType(unix.ETH_P_IPV6), icmp(kind), drop)
	}
	b.rule(c, notIn(s.bound), verdict(expr.VerdictAccept))
	b.rule(c, etherType(unix.ETH_P_ARP), spoofed(s.v4, payload(expr.PayloadBaseNetworkHeader, 14, 4)), drop)
	b.rule(c, etherType(unix.ETH_P_IP), spoofed(s.v4, payload(expr.PayloadBaseNetworkHeader, 12, 4)), drop)
	b.rule(c, etherType(unix.ETH_P_IPV6), spoofed(s.v6, payload(expr.PayloadBaseNetworkHeader, 8, 16)), drop)
	b.rule(c, etherType(unix.ETH_P_IPV6), icmp(neighborAdvertisement), spoofed(s.v6, payload(expr.PayloadBaseTransportHeader, 8, 16)), drop)
}

// The matches. Each leaves what it loads in register 1, and in register 2 the second part of a concatenation.

func meta(key expr.MetaKey) []expr.Any { return []expr.Any{&expr.Meta{Key: key, Register: 1}} }

func lookup(set *nftables.Set, invert bool) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID, Invert: invert}}
}

func in(set *nftables.Set) []expr.Any {
	return append(meta(expr.MetaKeyIIFNAME), lookup(set, false)...)
}

func out(set *nftables.Set) []expr.Any {
	return append(meta(expr.MetaKeyOIFNAME), lookup(set, false)...)
}

// inOut loads both interfaces, for a set of pairs.
func inOut(input expr.MetaKey) []expr.Any {
	return append(meta(input), &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 2})
}

func notIn(set *nftables.Set) []expr.Any {
	return append(meta(expr.MetaKeyIIFNAME), lookup(set, true)...)
}

func equal(data []byte) []expr.Any {
	return []expr.Any{&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data}}
}

func payload(base expr.PayloadBase, offset, length uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: 1, Base: base, Offset: offset, Len: length}}
}

func transport(protocol byte) []expr.Any {
	return append(meta(expr.MetaKeyL4PROTO), equal([]byte{protocol})...)
}

func port(protocol byte, number uint16) []expr.Any {
	return append(transport(protocol), append(payload(expr.PayloadBaseTransportHeader, 2, 2), equal(binaryutil.BigEndian.PutUint16(number))...)...)
}

func etherType(kind uint16) []expr.Any {
	return append(meta(expr.MetaKeyPROTOCOL), equal(binaryutil.BigEndian.PutUint16(kind))...)
}

// pair loads the interface that a packet came by and a field of it.
func pair(field []expr.Any) []expr.Any {
	second := *field[0].(*expr.Payload) //nolint:forcetypeassert // payload makes it
	second.DestRegister = 2
	return append(meta(expr.MetaKeyIIFNAME), &second)
}

// spoofed matches when the interface with the value of the field is not in the set.
func spoofed(set *nftables.Set, field []expr.Any) []expr.Any {
	return append(pair(field), lookup(set, true)...)
}

func family(proto byte) []expr.Any {
	return append(meta(expr.MetaKeyNFPROTO), equal([]byte{proto})...)
}

// notTo matches packets of the prefix' family to elsewhere.
func notTo(p netip.Prefix) []expr.Any {
	size, offset, proto := uint32(4), uint32(16), byte(unix.NFPROTO_IPV4)
	if p.Addr().Is6() {
		size, offset, proto = 16, 24, unix.NFPROTO_IPV6
	}
	mask := make([]byte, size)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	e := append(family(proto), payload(expr.PayloadBaseNetworkHeader, offset, size)...)
	return append(e, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: mask, Xor: make([]byte, size)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: p.Masked().Addr().AsSlice()})
}

// bits matches when one of the bits of a 32-bit field is set.
func bits(field expr.Any, mask uint32) []expr.Any {
	return []expr.Any{
		field, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(mask), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// known matches packets of connections that were let in.
func known() []expr.Any {
	return bits(&expr.Ct{Key: expr.CtKeySTATE, Register: 1}, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
}

// translated matches packets that a published port has led here (enum ip_conntrack_status, IPS_DST_NAT).
func translated() []expr.Any {
	const dstNAT = 1 << 5
	return bits(&expr.Ct{Key: expr.CtKeySTATUS, Register: 1}, dstNAT)
}

// local matches packets for an address of this host, or of the interface that they came by.
func local(own bool) []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: 1, FlagDADDR: true, FlagIIF: own, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}
}

// publishedOn looks a packet's protocol, its address with own, and its port up, and sends it where the map says.
func publishedOn(set *nftables.Set, six, own bool) []expr.Any {
	fam, offset, size, regs := uint32(unix.NFPROTO_IPV4), uint32(16), uint32(4), uint32(1)
	if six {
		fam, offset, size, regs = unix.NFPROTO_IPV6, 24, 16, 4
	}
	const reg32 = 8 // NFT_REG32_00: registers of four bytes
	e := []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg32}}
	next := uint32(reg32 + 1)
	if own {
		e = append(e, &expr.Payload{DestRegister: next, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size})
		next += regs
	}
	e = append(e, &expr.Payload{DestRegister: next, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: reg32, DestRegister: reg32, IsDestRegSet: true, SetName: set.Name, SetID: set.ID})
	return append(e, &expr.NAT{Type: expr.NATTypeDestNAT, Family: fam, RegAddrMin: reg32, RegProtoMin: reg32 + regs, Specified: true})
}

// toPort sends a packet to another port of where it goes.
func toPort(fam uint32, number uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(number)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: fam, RegProtoMin: 1, Specified: true},
	}
}

func masquerade() []expr.Any { return []expr.Any{&expr.Masq{}} }

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }
