package probe

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// These answers are life, however odd.
func TestDNSOddAnswers(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	tests := map[string]func(*dns.Msg){
		"plain":                     nil,
		"truncated":                 func(m *dns.Msg) { m.Truncated = true },
		"format error":              func(m *dns.Msg) { m.Rcode = dns.RcodeFormatError },
		"format error, no question": func(m *dns.Msg) { m.Rcode, m.Question = dns.RcodeFormatError, nil },
		"not implemented":           func(m *dns.Msg) { m.Rcode, m.Question = dns.RcodeNotImplemented, nil },
		"bad version":               func(m *dns.Msg) { m.SetEdns0(512, false); m.Rcode = dns.RcodeBadVers },
		"refused":                   func(m *dns.Msg) { m.Rcode = dns.RcodeRefused },
		"unassigned code":           func(m *dns.Msg) { m.Rcode = 12 },
		"other case":                func(m *dns.Msg) { m.Question[0].Name = "WWW.eXample." },
		"long": func(m *dns.Msg) {
			for range 40 {
				m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: "www.example.", Rrtype: dns.TypeTXT, Class: 1},
					Txt: []string{"thirty bytes of text that matter not"}})
			}
		},
	}
	w := drive(t, openDNS, SweeperConfig{DNSName: "www.example", DNSType: dns.TypeA})
	address := netip.MustParseAddr("198.18.1.10")
	for name, change := range tests {
		address = address.Next()
		oddServer(t, address.String(), func(q *dns.Msg) [][]byte { return [][]byte{reply(q, change)} })
		if a := w.ask(address.String(), DNS); a.Outcome != Reply {
			t.Errorf("%s: %+v, want a reply", name, a)
		}
	}
	oddServer(t, "fd00:198:18::53", func(q *dns.Msg) [][]byte { return [][]byte{reply(q, nil)} })
	if a := w.ask("fd00:198:18::53", DNS); a.Outcome != Reply {
		t.Errorf("by IPv6: %+v, want a reply", a)
	}
	if n := w.tally.forgedPackets.Load() + w.tally.malformed.Load(); n != 0 {
		t.Errorf("%d answers were not believed", n)
	}
}

// These are nobody's answer to our question: they are counted, and credit nothing.
func TestDNSForgeries(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	cut := func(n int) func(*dns.Msg) []byte { return func(q *dns.Msg) []byte { return reply(q, nil)[:n] } }
	changed := func(change func(*dns.Msg)) func(*dns.Msg) []byte {
		return func(q *dns.Msg) []byte { return reply(q, change) }
	}
	tests := []struct {
		name      string
		malformed bool
		answer    func(*dns.Msg) []byte
	}{
		{"empty", true, cut(0)},
		{"eleven bytes", true, cut(11)},
		{"header that promises a question", true, cut(12)},
		{"question cut off", true, cut(20)},
		{"another id", false, changed(func(m *dns.Msg) { m.Id ^= 1 })},
		{"another name", false, changed(func(m *dns.Msg) { m.Question[0].Name = "xww.example." })},
		{"another type", false, changed(func(m *dns.Msg) { m.Question[0].Qtype ^= 0x20 })},
		{"another class", false, changed(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS })},
		{"our own question", false, changed(func(m *dns.Msg) { m.Response = false })},
		{"another operation", false, changed(func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate })},
		{"no question, no error", false, changed(func(m *dns.Msg) { m.Question = nil })},
		{"two questions", false, changed(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) })},
	}
	w := drive(t, openDNS, SweeperConfig{DNSName: "www.example", DNSType: dns.TypeA})
	address := netip.MustParseAddr("198.18.1.10")
	for _, test := range tests {
		address = address.Next()
		oddServer(t, address.String(), func(q *dns.Msg) [][]byte { return [][]byte{test.answer(q)} })
		forged, malformed := w.tally.forgedPackets.Load(), w.tally.malformed.Load()
		if _, err := w.send(address.String(), DNS, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, test.name+" is counted", func() bool {
			if test.malformed {
				return w.tally.malformed.Load() == malformed+1
			}
			return w.tally.forgedPackets.Load() == forged+1
		})
	}
	if len(w.arrivals) != 0 {
		t.Errorf("arrived %+v", <-w.arrivals)
	}
}

// An answer from another address or port than was asked is never credited, nor one to a question of another address.
func TestDNSWrongSource(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	var conns []net.PacketConn
	for _, source := range []string{"198.18.1.21:53", "198.18.1.20:54"} {
		c, err := net.ListenPacket("udp", source)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	honest, err := net.ListenPacket("udp", "198.18.1.20:53")
	if err != nil {
		t.Fatal(err)
	}
	defer honest.Close()
	w := drive(t, openDNS, SweeperConfig{})
	ticket, err := w.send("198.18.1.20", DNS, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	n, from, err := honest.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	query := new(dns.Msg)
	if err := query.Unpack(b[:n]); err != nil {
		t.Fatal(err)
	}
	if o := query.IsEdns0(); o == nil || o.UDPSize() != dnsUDPSize || query.RecursionDesired {
		t.Errorf("asked %v", query)
	}
	for i, c := range conns {
		if _, err := c.WriteTo(reply(query, nil), from); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is counted", func() bool { return w.tally.forgedPackets.Load() == uint64(i+1) })
	}
	for range 2 { // a duplicate is the sweeper's to judge
		if _, err := honest.WriteTo(reply(query, nil), from); err != nil {
			t.Fatal(err)
		}
		if a := w.next(); a.Ticket != ticket || a.Outcome != Reply {
			t.Errorf("arrived %+v", a)
		}
	}
	w.wire.Forget([]Ticket{ticket})
	if _, err := honest.WriteTo(reply(query, nil), from); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a forgotten question is answered in vain", func() bool { return w.tally.forgedPackets.Load() == 3 })
	if len(w.arrivals) != 0 {
		t.Errorf("arrived %+v", <-w.arrivals)
	}
}

// A host that drops what has EDNS answers the second attempt.
func TestDNSSilentToEDNS(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	asked := make(chan bool, 2)
	oddServer(t, "198.18.1.20", func(q *dns.Msg) [][]byte {
		asked <- q.IsEdns0() != nil
		if q.IsEdns0() != nil {
			return nil
		}
		return [][]byte{reply(q, nil)}
	})
	w := drive(t, openDNS, SweeperConfig{})
	if _, err := w.send("198.18.1.20", DNS, 0); err != nil {
		t.Fatal(err)
	}
	again, err := w.send("198.18.1.20", DNS, 1)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.next(); a.Ticket != again || a.Outcome != Reply {
		t.Errorf("arrived %+v, want a reply to the second attempt", a)
	}
	if first, second := <-asked, <-asked; !first || second {
		t.Errorf("EDNS in the first attempt: %t, in the second: %t", first, second)
	}
}

func TestDNSErrors(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sysctl(t, "net/ipv4/icmp_ratelimit", "0")
	sysctl(t, "net/ipv6/icmp/ratelimit", "0")
	for _, a := range []string{"fd00:198:18::20", "fd00:198:18::21"} {
		command(t, "ip addr add "+a+"/128 dev lo nodad") // else lo itself sends its errors
	}
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	for _, rule := range []string{
		"ip daddr 198.18.0.21 udp dport 53 reject with icmp type admin-prohibited",
		"ip daddr 198.18.0.22 udp dport 53 reject with icmp type net-unreachable",
		"ip6 daddr fd00:198:18::21 udp dport 53 reject with icmpv6 type admin-prohibited",
	} {
		command(t, "nft add rule inet t in "+rule)
	}
	w := drive(t, openDNS, SweeperConfig{})
	for _, test := range []struct {
		target     string
		outcome    Outcome
		kind, code uint8
	}{
		{target: "198.18.0.20", outcome: Refused}, // nobody listens
		{target: "198.18.0.21", outcome: Unreachable, kind: 3, code: 13},
		{target: "198.18.0.22", outcome: Unreachable, kind: 3, code: 0},
		{target: "fd00:198:18::20", outcome: Refused},
		{target: "fd00:198:18::21", outcome: Unreachable, kind: 1, code: 1},
	} {
		a := w.ask(test.target, DNS)
		if a.Outcome != test.outcome || a.Type != test.kind || a.Code != test.code || a.RTT <= 0 || a.RTT > patience {
			t.Errorf("%s: %+v, want %v %d %d", test.target, a, test.outcome, test.kind, test.code)
		}
		if a.Outcome == Unreachable && a.From != netip.MustParseAddr(test.target) {
			t.Errorf("%s: error from %v", test.target, a.From)
		}
	}
	if n := w.tally.forgedPackets.Load() + w.tally.malformed.Load(); n != 0 {
		t.Errorf("%d errors were not believed", n)
	}
}

// An error about one question surfaces on the sending of another, which is sent all the same.
func TestDNSErrorsBlameNobodyElse(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sysctl(t, "net/ipv4/icmp_ratelimit", "0")
	sysctl(t, "net/ipv4/icmp_msgs_per_sec", "100000")
	sysctl(t, "net/ipv4/icmp_msgs_burst", "10000")
	w := drive(t, openDNS, SweeperConfig{})
	packets := make([]Packet, 1024)
	target := netip.MustParseAddr("198.18.0.0")
	for i := range packets {
		packets[i] = Packet{Ticket: makeTicket(1, i, 0), Target: target, Protocol: DNS}
		target = target.Next()
	}
	w.wire.Send(packets)
	for i := range packets {
		if packets[i].Err != nil {
			t.Fatalf("%s: %v", packets[i].Target, packets[i].Err)
		}
	}
	refused := map[Ticket]bool{}
	for range packets {
		a := w.next()
		if a.Outcome != Refused {
			t.Fatalf("arrived %+v", a)
		}
		refused[a.Ticket] = true
	}
	if len(refused) != len(packets) {
		t.Errorf("%d of %d were refused", len(refused), len(packets))
	}
}

func TestDNSLocalFailures(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	command(t, "ip route add unreachable 198.19.1.0/24")
	command(t, "ip route add prohibit 198.19.2.0/24")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t out { type filter hook output priority 0; }")
	command(t, "nft add rule inet t out ip daddr 198.18.3.0/24 drop")
	w := drive(t, openDNS, SweeperConfig{})
	for target, want := range map[string]unix.Errno{
		"198.19.0.1":    unix.ENETUNREACH,
		"198.19.1.1":    unix.EHOSTUNREACH,
		"198.19.2.1":    unix.EACCES,
		"198.18.3.1":    unix.EPERM,
		"fd00:198:19::": unix.ENETUNREACH,
	} {
		if _, err := w.send(target, DNS, 0); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", target, err, want)
		}
	}
	if n := len(w.wire.(*dnsWire).awaited.byTicket); n != 0 || len(w.arrivals) != 0 {
		t.Errorf("%d questions are awaited, %d arrivals", n, len(w.arrivals))
	}
}

// An ICMP error is about the question that it quotes; where it quotes too little, about the last one to that address.
func TestDNSErrorIsAboutWhatItQuotes(t *testing.T) {
	var tally wireTally
	w := &dnsWire{cfg: &SweeperConfig{tally: &tally}, opened: time.Now(), awaited: newDNSAwaited()}
	target, router := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.254")
	first, err := w.awaited.add(target, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.awaited.add(target, 2, 0); err != nil {
		t.Fatal(err)
	}
	quote := binary.BigEndian.AppendUint16(nil, first)
	about := func(target netip.Addr, port uint16, what Arrival, quoted []byte) icmpNotice {
		return icmpNotice{target: netip.AddrPortFrom(target, port), what: what, quoted: quoted}
	}
	closed := Arrival{Type: 3, Code: 3, From: target}
	for _, test := range []struct {
		n       icmpNotice
		ticket  Ticket // 0: none
		outcome Outcome
	}{
		{about(target, 53, closed, quote), 1, Refused},
		{about(target, 53, closed, nil), 2, Refused},
		{about(target, 53, Arrival{Type: 3, Code: 3, From: router}, quote), 1, Unreachable},
		{about(target, 53, Arrival{Type: 3, Code: 1, From: target}, quote), 1, Unreachable},
		{about(target, 53, Arrival{Type: 11, Code: 0, From: router}, quote), 1, Unreachable},
		{n: about(target, 54, closed, quote)},
		{n: about(router, 53, closed, quote)},
		{n: about(target, 53, closed, binary.BigEndian.AppendUint16(nil, first^1))},
	} {
		forged := tally.forgedPackets.Load()
		news := w.proveNotice(&test.n, time.Now(), nil)
		if test.ticket == 0 {
			if len(news) != 0 || tally.forgedPackets.Load() != forged+1 {
				t.Errorf("%+v credits %+v", test.n, news)
			}
			continue
		}
		if len(news) != 1 || news[0].Ticket != test.ticket || news[0].Outcome != test.outcome {
			t.Errorf("%+v credits %+v, want %v of ticket %d", test.n, news, test.outcome, test.ticket)
		}
	}
}

func TestDNSClosed(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	before := openFiles(t)
	w := drive(t, openDNS, SweeperConfig{})
	w.ask("198.18.0.1", DNS)
	w.ask("fd00:198:18::53", DNS)
	if err := errors.Join(w.wire.Close(), w.wire.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send("198.18.0.1", DNS, 0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files are open, %d before", after, before)
	}
	goleak.VerifyNone(t)
}

// A full receive buffer shows before it drops, and what it dropped is counted.
func TestDNSQueue(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const copies = 200
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1), // the least that the kernel grants
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{198, 18, 1, 20}}),
	); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	for range copies {
		if err := unix.Sendto(fd, make([]byte, 100), 0, name); err != nil {
			t.Fatal(err)
		}
	}
	var got buffers
	got.add(fd)
	if got.full < 0.3 || got.dropped == 0 || got.dropped >= copies {
		t.Errorf("%+v of %d packets", got, copies)
	}
	w := drive(t, openDNS, SweeperConfig{})
	w.ask("198.18.0.1", DNS)
	if got := w.wire.(buffered).Buffers(); got.full != 0 || got.dropped != 0 {
		t.Errorf("the wire's buffers: %+v", got)
	}
}
