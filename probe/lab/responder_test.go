package lab

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
)

// pile is a device that keeps what is written to it.
type pile struct{ packets []datagram }

func (p *pile) Read([]byte) (int, error) { return 0, io.EOF }
func (p *pile) Close() error             { return nil }
func (p *pile) Write(b []byte) (int, error) {
	p.packets = append(p.packets, slices.Clone(b))
	return len(b), nil
}

// onPile is a responder whose answers can be looked at; its hosts answer without delay.
func onPile(t testing.TB, change func(*Scenario)) (*responder, *pile) {
	t.Helper()
	s, err := Builtin("steady")
	if err != nil {
		t.Fatal(err)
	}
	s.Noise = Noise{}
	for i := range s.Hosts {
		s.Hosts[i].Availability, s.Hosts[i].RTT, s.Hosts[i].Jitter = 1, 0, 0
	}
	if change != nil {
		change(s)
	}
	p := &pile{}
	r := newResponder(world(t, s), probe.NewScaledClock(t.Context(), s.Start.Time(), 1), p)
	t.Cleanup(r.later.stop)
	return r, p
}

var nameServer = netip.MustParseAddr("198.18.0.10") // tcp/53 is open, tcp/80 refuses

// ask is a packet of ours with the given payload.
func ask(protocol uint8, payload ...byte) datagram {
	d := newDatagram(make([]byte, ipLen+len(payload)), Source, nameServer, protocol, len(payload))
	copy(d.payload(), payload)
	return d
}

func tcpAsk(port uint16, flags byte, seq, ack uint32, data string) datagram {
	b := make([]byte, tcpLen, tcpLen+len(data))
	binary.BigEndian.PutUint16(b, 40000)
	binary.BigEndian.PutUint16(b[2:], port)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[8:], ack)
	b[12], b[13] = tcpLen/4<<4, flags
	return ask(protocolTCP, append(b, data...)...)
}

func TestTCPSegments(t *testing.T) {
	for name, c := range map[string]struct {
		in    datagram
		flags byte // of the answer; 0: there is none
		ack   uint32
		seq   uint32 // 0: any
	}{
		"syn to an open port":     {in: tcpAsk(53, tcpSYN, 1000, 0, ""), flags: tcpSYN | tcpACK, ack: 1001},
		"syn at the wrap":         {in: tcpAsk(53, tcpSYN, 1<<32-1, 0, ""), flags: tcpSYN | tcpACK, ack: 0},
		"syn with ECN":            {in: tcpAsk(53, tcpSYN|0xc0, 1000, 0, ""), flags: tcpSYN | tcpACK, ack: 1001},
		"syn to a refusing port":  {in: tcpAsk(80, tcpSYN, 1000, 0, ""), flags: tcpRST | tcpACK, ack: 1001},
		"syn to a silent port":    {in: tcpAsk(443, tcpSYN, 1000, 0, "")},
		"ack":                     {in: tcpAsk(53, tcpACK, 1001, 77, "")},
		"data":                    {in: tcpAsk(53, tcpACK|tcpPSH, 1001, 77, "hello"), flags: tcpACK, ack: 1006, seq: 77},
		"fin":                     {in: tcpAsk(53, tcpACK|tcpFIN, 1001, 77, ""), flags: tcpACK | tcpFIN, ack: 1002, seq: 77},
		"data and fin":            {in: tcpAsk(53, tcpACK|tcpFIN, 1001, 77, "hello"), flags: tcpACK | tcpFIN, ack: 1007, seq: 77},
		"fin to a refusing port":  {in: tcpAsk(80, tcpACK|tcpFIN, 1001, 77, "")},
		"rst":                     {in: tcpAsk(53, tcpRST, 1001, 0, "")},
		"rst and ack":             {in: tcpAsk(53, tcpRST|tcpACK, 1001, 77, "")},
		"a header that lies long": {in: func() datagram { d := tcpAsk(53, tcpACK|tcpFIN, 1, 2, ""); d[ipLen+12] = 0xf0; return d }()},
	} {
		r, p := onPile(t, nil)
		r.handle(c.in)
		if c.flags == 0 {
			if len(p.packets) != 0 {
				t.Errorf("%s: answered by %x", name, p.packets[0])
			}
			continue
		}
		if len(p.packets) != 1 {
			t.Errorf("%s: %d answers", name, len(p.packets))
			continue
		}
		verify(t, p.packets[0])
		b := p.packets[0].payload()
		if flags, ack := b[13], binary.BigEndian.Uint32(b[8:]); flags != c.flags || ack != c.ack {
			t.Errorf("%s: flags %#x, ack %d, want %#x, %d", name, flags, ack, c.flags, c.ack)
		}
		if seq := binary.BigEndian.Uint32(b[4:]); c.seq != 0 && seq != c.seq {
			t.Errorf("%s: seq %d, want %d", name, seq, c.seq)
		}
	}
}

// verify checks what any receiver would check of a packet: lengths, addresses, checksums.
func verify(t testing.TB, p datagram) {
	t.Helper()
	d, ok := readDatagram(p)
	if !ok || len(d) != len(p) || fold(sumOf(0, p[:p.headLen()])) != 0xffff || p.target() != Source {
		t.Errorf("a malformed packet: %x", p)
		return
	}
	b := d.payload()
	var sum uint32
	if d.protocol() != protocolICMP {
		sum = sumOf(uint32(d.protocol())+uint32(len(b)), d[12:20])
	}
	if fold(sumOf(sum, b)) != 0xffff {
		t.Errorf("a wrong checksum: %x", p)
	}
}

func TestRoutersQuoteMuchOrLittle(t *testing.T) {
	request := ask(protocolICMP, append([]byte{echoRequest, 0, 0, 0, 0, 7, 0, 1}, bytes.Repeat([]byte("x"), 1000)...)...)
	for router, want := range map[string]int{"198.19.254.1": ipLen + 8, "198.19.254.2": 576 - ipLen - icmpLen} {
		r, p := onPile(t, func(s *Scenario) {
			s.Noise = Noise{Unreachable: 1, Router: netip.MustParseAddr(router)}
			s.Timeline = []Phase{{From: s.Start, To: s.End, State: Total}}
		})
		r.answer(request, Response{Kind: Unreachable, From: netip.MustParseAddr(router), Type: 3, Code: 1})
		if len(p.packets) != 1 {
			t.Fatalf("%d reports", len(p.packets))
		}
		verify(t, p.packets[0])
		if quote := p.packets[0].payload()[icmpLen:]; len(quote) != want || !bytes.Equal(quote, request[:want]) {
			t.Errorf("%s quotes %d bytes, want %d: %x", router, len(quote), want, quote)
		}
	}
}

func TestAUDPChecksumIsNeverZero(t *testing.T) {
	d := ask(protocolUDP, make([]byte, udpLen+2)...)
	d.seal(6)
	// Whatever makes the sum of all words 0xffff makes the checksum zero.
	binary.BigEndian.PutUint16(d.payload()[udpLen:], binary.BigEndian.Uint16(d.payload()[6:]))
	d.seal(6)
	if got := binary.BigEndian.Uint16(d.payload()[6:]); got != 0xffff {
		t.Errorf("the checksum is %#x, want 0xffff (RFC 768)", got)
	}
}

// Whatever comes in, what goes out is well-formed, goes to who asked, and is at most three packets.
func FuzzHandle(f *testing.F) {
	f.Add([]byte(ask(protocolICMP, echoRequest, 0, 0, 0, 0, 7, 0, 1)))
	f.Add([]byte(ask(protocolICMP, echoRequest, 0, 0, 0, 0, 7, 0)))
	f.Add([]byte(tcpAsk(53, tcpSYN, 1, 0, "")))
	f.Add([]byte(tcpAsk(53, tcpACK|tcpFIN, 1, 2, "x")))
	f.Add([]byte(ask(protocolUDP, 0x99, 0x99, 0, 53, 0, 25, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1)))
	f.Add([]byte{0x45})
	f.Add([]byte{0x6f, 0, 0, 0})
	r, p := onPile(f, func(s *Scenario) {
		s.Noise = Noise{Duplicates: 1, Forged: 1, Late: 0, LateBy: time.Second, Unreachable: 1, Router: netip.MustParseAddr("198.19.254.1")}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		p.packets = nil
		d, ok := readDatagram(b)
		mine := r.handle(b[:min(len(b), largest)])
		if !mine && len(p.packets) > 0 || len(p.packets) > 3 {
			t.Errorf("%d answers", len(p.packets))
		}
		for _, out := range p.packets {
			if ok && d.source() == Source {
				verify(t, out)
			}
		}
	})
}
