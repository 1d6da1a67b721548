package lab

import (
	"net/netip"
	"slices"
	"time"

	"brownout/probe"
)

// Addresses that a lab keeps for itself.
var (
	Source  = netip.MustParseAddr("198.19.255.1")   // our own
	Gateway = netip.MustParseAddr("198.19.255.254") // our next hop: it answers echo requests whatever happens
)

// Kind is what answers an attempt.
type Kind uint8

const (
	None        Kind = iota
	Answer           // echo reply, SYN-ACK, or DNS answer
	Refusal          // RST, or port unreachable from the host itself
	Unreachable      // an ICMP error from a router
)

func (k Kind) String() string { return [...]string{"none", "answer", "refusal", "unreachable"}[k] }

// Forgery is in what way a packet only claims to be an answer.
type Forgery uint8

const (
	Genuine     Forgery = iota // there is no forgery
	WrongProof                 // payload, ack number or question are not those of the attempt
	WrongID                    // id or port are not
	WrongSource                // it comes from another address
)

// Response is everything that comes back from an attempt. The zero value is silence.
type Response struct {
	Kind       Kind
	RTT        time.Duration // real; of the forgery too
	Rcode      uint8         // of a DNS answer
	Type, Code uint8         // of the ICMP error that an Unreachable is (RFC 792)
	From       netip.Addr    // the sender of an Unreachable
	Duplicates uint8         // how many more of the same follow
	Corrupted  bool          // the packet does not match its checksum
	Forged     Forgery       // a false answer comes too: it comes first
}

// Credit reports whether the response proves itself: it is an answer, and arrives undamaged.
func (r *Response) Credit() bool { return r.Kind != None && !r.Corrupted }

const (
	nearRTT = time.Millisecond // of the gateway and the references

	destinationUnreachable = 3 // RFC 792
	codeNet, codeHost      = 0, 1
	codePort               = 3
	codeProhibited         = 13 // RFC 1812
)

var routerCodes = [...]uint8{codeNet, codeHost, codeProhibited}

// Respond says what comes back from a probe that arrives at time t. The nonce tells attempts apart: the same attempt at
// the same time always has the same fate. Respond is a pure function and does not allocate.
func (w *World) Respond(t probe.Instant, a netip.Addr, p probe.Protocol, nonce uint64) Response {
	d := w.seed.with(low(a)).with(uint64(p.Code())).with(uint64(t)).with(nonce)
	now := w.at(t)
	i, ok := w.space.Index(a)
	if !ok {
		return w.respondOutside(now, a, p, d)
	}
	if now.uplinkDown() {
		return Response{}
	}
	r := w.respondInside(now, t, i, a, p, d)
	if d.hits(forForgery, w.noise.forgery) {
		r.Forged = WrongProof + Forgery(d.below(forForgeryKind, uint64(WrongSource)))
	}
	return r
}

// respondOutside is Respond for the gateway, the references and everything else that is not of the space.
func (w *World) respondOutside(now *segment, a netip.Addr, p probe.Protocol, d dice) Response {
	known := a == Gateway || slices.Contains(w.scenario.References, a) && !now.uplinkDown()
	if !known || !p.IsICMP() {
		return Response{}
	}
	return Response{Kind: Answer, RTT: nearRTT + time.Duration(d.below(forJitter, uint64(nearRTT)/2))}
}

func (w *World) respondInside(now *segment, t probe.Instant, i int, a netip.Addr, p probe.Protocol, d dice) Response {
	if now.dark(a) {
		return w.respondDark(d)
	}
	h, r := w.reach(now, t, i, p)
	if r.Kind == None || now.loses(a, d) || d.hits(forLoss, w.noise.loss) {
		return Response{}
	}
	r.RTT = h.RTT + time.Duration(d.below(forJitter, uint64(h.Jitter)+1))
	w.disturb(&r, d)
	return r
}

// undisturbed is what a host says when nothing but outages and filters is in the way.
func (w *World) undisturbed(t probe.Instant, a netip.Addr, p probe.Protocol) Response {
	now := w.at(t)
	i, ok := w.space.Index(a)
	if !ok || now.uplinkDown() || now.dark(a) {
		return Response{}
	}
	_, r := w.reach(now, t, i, p)
	return r
}

// reach is what the host of an index says, if there is one, it lives, and no filter stands before it.
func (w *World) reach(now *segment, t probe.Instant, i int, p probe.Protocol) (*resident, Response) {
	home := w.homes[i]
	if home < 0 || now.filtered(p) {
		return nil, Response{}
	}
	h := &w.hosts[home]
	if !h.lives(t) {
		return h, Response{}
	}
	return h, h.answer(p)
}

// respondDark is what comes from the dark: now and then the report of a router on the way.
func (w *World) respondDark(d dice) Response {
	if !d.hits(forUnreachable, w.noise.unreachable) {
		return Response{}
	}
	code := routerCodes[d.roll(forUnreachable)%uint64(len(routerCodes))]
	return Response{Kind: Unreachable, RTT: nearRTT, Type: destinationUnreachable, Code: code, From: w.scenario.Noise.Router}
}

// disturb adds the noise of the path to an answer.
func (w *World) disturb(r *Response, d dice) {
	if d.hits(forLate, w.noise.late) {
		r.RTT += w.scenario.Noise.LateBy
	}
	if d.hits(forDuplicate, w.noise.duplicate) {
		r.Duplicates = 1
	}
	r.Corrupted = d.hits(forCorruption, w.noise.corruption)
}

// answer is what the living host says, undisturbed.
func (h *Host) answer(p probe.Protocol) Response {
	switch {
	case p.IsICMP() && h.ICMP, p.IsTCP() && slices.Contains(h.Open, p.Port()):
		return Response{Kind: Answer}
	case p.IsTCP() && slices.Contains(h.Refuse, p.Port()):
		return Response{Kind: Refusal}
	case p.IsDNS() && h.DNS == DNSClosed:
		return Response{Kind: Refusal}
	case p.IsDNS() && h.DNS >= 0:
		return Response{Kind: Answer, Rcode: uint8(h.DNS)}
	}
	return Response{}
}
