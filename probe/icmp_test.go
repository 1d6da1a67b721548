package probe

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

var (
	target4 = netip.MustParseAddr("198.18.0.7")
	target6 = netip.MustParseAddr("2001:db8::7")
	other4  = netip.MustParseAddr("198.18.0.8")
	other6  = netip.MustParseAddr("2001:db8::8")
	router4 = netip.MustParseAddr("198.18.9.9")
)

const testTicket Ticket = 0x0123456789abcdef

// request is an echo request as it goes out.
func (e *echo) testRequest(target netip.Addr, t Ticket) []byte {
	b := slices.Clone(e.request)
	e.write(b, target, t)
	return b
}

// testReply is what a target makes of a request.
func (e *echo) testReply(request []byte) []byte {
	b := slices.Clone(request)
	b[0] = echoReply4
	if e.v6 {
		b[0] = echoReply6
	}
	return resum(b)
}

// resum sets the checksum of an ICMPv4 message.
func resum(b []byte) []byte {
	b[2], b[3] = 0, 0
	binary.BigEndian.PutUint16(b[2:], ^fold(onesSum(0, b)))
	return b
}

// quote is an ICMP error that quotes n bytes of a request to a target, behind an IP header with optional options.
func quote(e *echo, kind, code uint8, request []byte, target netip.Addr, n, options int) []byte {
	b := []byte{kind, code, 0, 0, 0, 0, 0, 0}
	if e.v6 {
		h := make([]byte, 40)
		h[0], h[6] = 0x60, protocolICMP6
		copy(h[24:], target.AsSlice())
		b = append(b, h...)
	} else {
		h := make([]byte, 20+options)
		h[0], h[9] = 0x40|uint8(len(h)/4), protocolICMP4
		copy(h[16:], target.AsSlice())
		b = append(b, h...)
	}
	return resum(append(b, request[:min(n, len(request))]...))
}

// TestRequestsAreWellFormed has golang.org/x/net/icmp read what we write.
func TestRequestsAreWellFormed(t *testing.T) {
	for _, contact := range []string{"", "x", "https://example.org/probe", string(make([]byte, 400))} {
		e := newEcho(false, true, 4711, contact)
		for i := range 500 {
			b := e.testRequest(target4, testTicket*Ticket(i))
			if fold(onesSum(0, b)) != 0xffff {
				t.Fatalf("contact of %d bytes, packet %d: bad checksum", len(contact), i)
			}
			m, err := icmp.ParseMessage(1, b)
			if err != nil {
				t.Fatal(err)
			}
			body := m.Body.(*icmp.Echo)
			if m.Type != ipv4.ICMPTypeEcho || m.Code != 0 || body.ID != 4711 || len(body.Data) != proofLen+min(len(contact), MaxContact) {
				t.Fatalf("read as %+v, %+v", m, body)
			}
			if got := string(body.Data[proofLen:]); got != contact[:min(len(contact), MaxContact)] {
				t.Fatalf("contact %q", got)
			}
		}
	}
	m, err := icmp.ParseMessage(58, newEcho(true, false, 4711, "x").testRequest(target6, testTicket))
	if err != nil || m.Type != ipv6.ICMPTypeEchoRequest {
		t.Errorf("read as %+v: %v", m, err)
	}
}

func TestGoodPacketsAreProven(t *testing.T) {
	for _, c := range []struct {
		e                *echo
		target, other    netip.Addr
		unreachable, ttl uint8
	}{
		{newEcho(false, true, 4711, "contact"), target4, other4, 3, 11},
		{newEcho(true, false, 4711, "contact"), target6, other6, 1, 3},
	} {
		request := c.e.testRequest(c.target, testTicket)
		awaited := func(a netip.Addr, p Protocol, yield func(Ticket) bool) {
			if a == c.target && p == ICMP && yield(testTicket+1) {
				yield(testTicket)
			}
		}
		for name, b := range map[string][]byte{
			"reply":             c.e.testReply(request),
			"quoted whole":      quote(c.e, c.unreachable, 13, request, c.target, len(request), 0),
			"quoted to the MAC": quote(c.e, c.unreachable, 13, request, c.target, echoLen, 0),
			"quoted past it":    quote(c.e, c.ttl, 13, request, c.target, echoLen+1, 8),
			"RFC 792's 8 bytes": quote(c.e, c.ttl, 13, request, c.target, icmpHeaderLen, 0),
		} {
			from := c.other
			if name == "reply" {
				from = c.target
			}
			a, v := c.e.parse(b, from, awaited)
			if v != proven || a.Ticket != testTicket {
				t.Errorf("%s of %s: verdict %d, ticket %x", name, c.target, v, a.Ticket)
			}
			if name != "reply" && (a.Outcome != Unreachable || a.Type != b[0] || a.Code != 13 || a.From != c.other) {
				t.Errorf("%s of %s: %+v", name, c.target, a)
			}
		}
	}
}

// TestBadPacketsProveNothing: none of these may credit a probe, and all but what is not ours are counted.
func TestBadPacketsProveNothing(t *testing.T) {
	e, e6 := newEcho(false, true, 4711, "contact"), newEcho(true, false, 4711, "contact")
	stranger := newEcho(false, true, 4711, "contact") // a key of its own: another process, or an earlier run
	request := e.testRequest(target4, testTicket)
	reply := e.testReply(request)
	change := func(b []byte, at int, x byte) []byte {
		b = slices.Clone(b)
		b[at] ^= x
		return resum(b)
	}
	flip := func(at int) []byte {
		b := slices.Clone(reply)
		b[at] ^= 1
		return b
	}
	whole := quote(e, 3, 1, request, target4, len(request), 0)
	short := quote(e, 3, 1, request, target4, icmpHeaderLen, 0)
	for name, c := range map[string]struct {
		b    []byte
		from netip.Addr
		want verdict
	}{
		"empty":                          {nil, target4, mangled},
		"half a header":                  {reply[:5], target4, mangled},
		"a header alone":                 {resum(slices.Clone(reply[:8])), target4, mangled},
		"cut off before the MAC's end":   {resum(slices.Clone(reply[:echoLen-1])), target4, mangled},
		"bad checksum":                   {flip(3), target4, mangled},
		"a bit of the contact flipped":   {flip(echoLen + 2), target4, mangled},
		"wrong id":                       {change(reply, 5, 1), target4, forgery},
		"wrong sequence number":          {change(reply, 7, 1), target4, forgery},
		"wrong ticket":                   {change(reply, 15, 1), target4, forgery},
		"wrong MAC":                      {change(reply, 23, 1), target4, forgery},
		"wrong code":                     {change(reply, 1, 1), target4, forgery},
		"from another address":           {reply, other4, forgery},
		"of another process":             {stranger.testReply(stranger.testRequest(target4, testTicket)), target4, forgery},
		"our own request":                {request, target4, foreign},
		"a redirect":                     {quote(e, 5, 1, request, target4, len(request), 0), router4, foreign},
		"error without a quote":          {whole[:8:8], router4, mangled},
		"error with half an IP header":   {resum(slices.Clone(whole[:20])), router4, mangled},
		"error with half an ICMP header": {resum(slices.Clone(whole[:32])), router4, mangled},
		"quote of UDP":                   {change(whole, 8+9, 16), router4, mangled},
		"quote of IPv6":                  {change(whole, 8, 0x20), router4, mangled},
		"quote with a short header":      {change(whole, 8, 0x01), router4, mangled},
		"quote with a long header":       {change(short, 8, 0x0a), router4, mangled},
		"quote to another address":       {change(whole, 8+19, 1), router4, forgery},
		"quote of a reply":               {change(whole, 28, 8), router4, forgery},
		"quote of another id":            {change(whole, 28+5, 1), router4, forgery},
		"quote of a wrong MAC":           {change(whole, 28+23, 1), router4, forgery},
		"8 bytes of nothing awaited":     {short, router4, forgery},
	} {
		if _, got := e.parse(c.b, c.from, nil); got != c.want {
			t.Errorf("%s: verdict %d, want %d", name, got, c.want)
		}
	}
	r6 := e6.testRequest(target6, testTicket)
	for name, c := range map[string]struct {
		b    []byte
		from netip.Addr
	}{
		"reply of another address":     {e6.testReply(r6), other6},
		"half an IPv6 header":          {quote(e6, 1, 0, r6, target6, 99, 0)[:40], other6},
		"quote of another destination": {quote(e6, 1, 0, r6, other6, 99, 0), target6},
		"IPv4's reply":                 {reply, target4},
	} {
		if _, got := e6.parse(c.b, c.from, nil); got == proven {
			t.Errorf("IPv6, %s is proven", name)
		}
	}
	all := func(_ netip.Addr, _ Protocol, yield func(Ticket) bool) {
		for range 2 { // two awaited attempts of one sequence number: neither is proven
			yield(testTicket)
		}
	}
	if _, got := e.parse(short, router4, all); got != forgery {
		t.Errorf("an ambiguous quote: verdict %d", got)
	}
}

// fixed gives an echo the same keys in every process, so that a corpus keeps its meaning.
func (e *echo) fixed() *echo {
	e.k0, e.k1 = 1, 2
	return e
}

// FuzzParse: no packet crashes the parser, and none proves another ticket than the one that was issued, nor that one by
// another way than a reply of its target or an error that quotes the request to it.
func FuzzParse(f *testing.F) {
	e, e6 := newEcho(false, true, 4711, "").fixed(), newEcho(true, false, 4711, "").fixed()
	request, request6 := e.testRequest(target4, testTicket), e6.testRequest(target6, testTicket)
	for _, n := range []int{icmpHeaderLen, icmpHeaderLen + 1, echoLen - 1, echoLen} {
		f.Add(quote(e, unreachable4, 1, request, target4, n, 0), false, true)
		f.Add(quote(e, timeExceeded4, 0, request, target4, n, 40), false, false)
		f.Add(quote(e6, unreachable6, 4, request6, target6, n, 0), true, true)
	}
	for _, fromTarget := range []bool{true, false} {
		f.Add(e.testReply(request), false, fromTarget)
		f.Add(e6.testReply(request6), true, fromTarget)
	}
	f.Add(e.testReply(request)[:echoLen-1], false, true)
	f.Fuzz(func(t *testing.T, b []byte, v6, fromTarget bool) {
		e, target, from := e, target4, other4
		if v6 {
			e, target, from = e6, target6, other6
		}
		if fromTarget {
			from = target
		}
		awaited := func(a netip.Addr, _ Protocol, yield func(Ticket) bool) {
			if a == target {
				yield(testTicket)
			}
		}
		if !v6 && len(b) >= icmpHeaderLen {
			b = resum(slices.Clone(b)) // else next to nothing passes the checksum
		}
		a, v := e.parse(b, from, awaited)
		switch {
		case v != proven:
		case a.Ticket != testTicket:
			t.Errorf("%x proves ticket %x", b, a.Ticket)
		case a.Outcome == Reply && !fromTarget:
			t.Errorf("%x of %s proves a reply of %s", b, from, target)
		case a.Outcome != Reply && (a.Outcome != Unreachable || a.Type != b[0] || a.Code != b[1] || a.From != from):
			t.Errorf("%x of %s is read as %+v", b, from, a)
		}
	})
}

func BenchmarkICMPWrite(b *testing.B) {
	e := newEcho(false, true, 4711, "https://example.org/probe")
	p := slices.Clone(e.request)
	b.ReportAllocs()
	for i := range b.N {
		e.write(p, target4, Ticket(i))
	}
}

func BenchmarkICMPParse(b *testing.B) {
	e := newEcho(false, true, 4711, "https://example.org/probe")
	p := e.testReply(e.testRequest(target4, testTicket))
	b.ReportAllocs()
	for range b.N {
		if _, v := e.parse(p, target4, nil); v != proven {
			b.Fatal(v)
		}
	}
}
