package probe

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestForgeriesOnTheWireAreCounted injects packets with our own id, which the kernel's filter lets through.
func TestForgeriesOnTheWireAreCounted(t *testing.T) {
	enterNamespace(t)
	command(t, "ip route add local 198.18.0.0/24 dev lo")
	s := openTest(t, SweeperConfig{ICMP: ICMPRaw}, ICMP)
	e := s.wires[kindICMP].(*icmpWire).v4.echo
	r := sweepNow(t, s, testSpace(t, "198.18.0.0/24"))
	if lives(r, 0) != 256 {
		t.Fatalf("%d of 256 answered", lives(r, 0))
	}
	s.running.Wait() // until then what comes again is a duplicate, and not unknown
	conn, err := net.ListenPacket("ip4:icmp", "198.18.0.7")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	replay := e.testReply(e.testRequest(target4, makeTicket(s.lastID, 7, 0)))
	wrongMAC := append([]byte(nil), replay...)
	wrongMAC[20] ^= 1
	spoofed := e.testReply(e.testRequest(other4, makeTicket(s.lastID, 8, 0)))
	badSum := append([]byte(nil), replay...)
	badSum[2] ^= 1
	wrongID := append([]byte(nil), replay...)
	wrongID[4] ^= 1
	for _, b := range [][]byte{replay, resum(wrongMAC), spoofed, badSum, replay[:8], resum(wrongID)} {
		if _, err := conn.WriteTo(b, &net.IPAddr{IP: net.IPv4(198, 18, 0, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	// The kernel delivers on loopback in order: once this answers, all before has been read.
	if again := sweepNow(t, s, testSpace(t, "198.18.0.9")); lives(again, 0) != 1 {
		t.Fatal("198.18.0.9 is silent")
	}
	st := s.Stats()
	// The wrong id is dropped by the filter.
	if st.Forged != 2 || st.Malformed != 2 || st.Unknown != 1 || st.Protocols[ICMP].Outcomes[Reply] != 257 {
		t.Errorf("%d forged, %d malformed, %d unknown, %v", st.Forged, st.Malformed, st.Unknown, st.Protocols[ICMP].Outcomes)
	}
}

// TestHeadersOfRequests: what the network sees of a request is alike from both kinds of socket, and carries the contact. One
// that a link of the smallest MTU might have to fragment has an identification for that.
func TestHeadersOfRequests(t *testing.T) {
	for contact, identified := range map[string]bool{"": false, "ops@example.org, AS64496": false, "https://example.org/probe": true} {
		testHeaders(t, contact, identified)
	}
}

func testHeaders(t *testing.T, contact string, identified bool) {
	bothModes(t, contact, func(t *testing.T, cfg SweeperConfig) {
		cfg.Contact = contact
		sysctl(t, "net/ipv4/ip_default_ttl", "77")
		tun := openTUN(t, "198.18.0.0/24")
		var seen [][]byte
		recorded := make(chan struct{})
		go func() {
			defer close(recorded)
			b := make([]byte, largestMessage)
			for {
				n, err := tun.Read(b)
				if err != nil {
					return
				}
				if b[0]>>4 == 4 {
					seen = append(seen, append([]byte(nil), b[:n]...))
					turn(b[:n])
					tun.Write(b[:n])
				}
			}
		}()
		if got := lives(sweepNow(t, openTest(t, cfg, ICMP), testSpace(t, "198.18.0.0/24")), 0); got != 256 {
			t.Errorf("%d of 256 answered", got)
		}
		tun.Close()
		<-recorded
		targets, ids := map[[4]byte]bool{}, map[[2]byte]bool{}
		for _, b := range seen {
			length, flags := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[6:])
			if b[0] != 0x45 || int(length) != len(b) || flags != 0x4000 || b[8] != 77 || b[9] != protocolICMP4 ||
				[4]byte(b[12:]) != [4]byte{198, 19, 255, 1} || fold(onesSum(0, b[:20])) != 0xffff {
				t.Fatalf("header % x of %d bytes", b[:20], len(b))
			}
			if !strings.HasSuffix(string(b), cfg.Contact) || fold(onesSum(0, b[20:])) != 0xffff {
				t.Fatalf("request %q", b[20:])
			}
			targets[[4]byte(b[16:])], ids[[2]byte(b[4:])] = true, true
		}
		if len(targets) != 256 || identified && len(ids) < 200 || !identified && len(ids) != 1 { // of 65,536, 256 at random have one or none in common
			t.Errorf("%d targets, %d identifications", len(targets), len(ids))
		}
	})
}

// TestStampsSurviveASteppedWallClock: a stamp from before a step of the wall clock is not used.
func TestStampsSurviveASteppedWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c stampClock
		c.read(time.Now())
		now := time.Now()
		if got, exact := c.when(now.Add(-3 * time.Millisecond).UnixNano()); !exact || now.Sub(got) != 3*time.Millisecond {
			t.Errorf("waited %s, want 3 ms", now.Sub(got))
		}
		for name, stamp := range map[string]int64{"none": 0, "of the future": now.Add(time.Second).UnixNano(), "of long ago": now.Add(-time.Hour).UnixNano()} {
			if got, exact := c.when(stamp); exact || !got.Equal(now) {
				t.Errorf("a stamp %s gives %s, want now", name, got)
			}
		}
		c.skew += 500 * time.Millisecond // as if the clock had stood elsewhere at the last reading
		c.read(time.Now())
		if got, exact := c.when(now.Add(-300 * time.Millisecond).UnixNano()); exact || !got.Equal(now) {
			t.Errorf("a stamp across a step gives %s, want now", got)
		}
		c.read(time.Now())
		if got, exact := c.when(now.Add(-300 * time.Millisecond).UnixNano()); !exact || now.Sub(got) != 300*time.Millisecond {
			t.Error("stamps after a step are not used")
		}
	})
}

// TestKernelWithoutDepartures: a kernel that refuses to stamp departures is sent packets without asking for stamps.
func TestKernelWithoutDepartures(t *testing.T) {
	enterNamespace(t)
	command(t, "ip route add local 198.18.0.0/24 dev lo")
	s := openTest(t, SweeperConfig{}, ICMP)
	socket := s.wires[kindICMP].(*icmpWire).v4
	for _, oob := range socket.out.oobs {
		oob[unix.CmsgLen(4)-1] = 0xff // flags that no kernel knows
	}
	for range 2 {
		if got := lives(sweepNow(t, s, testSpace(t, "198.18.0.7", "198.18.0.8")), 0); got != 2 {
			t.Errorf("%d of 2 answered", got)
		}
	}
	if !socket.plain {
		t.Error("the kernel knows them all: the test is none")
	}
}

// BenchmarkICMPSend sends to a space of the kernel's that drops everything: what a probe costs to send.
func BenchmarkICMPSend(b *testing.B) {
	enterNamespace(b)
	command(b, "ip route add local 198.18.0.0/16 dev lo")
	nft(b, "input", "icmp type echo-request drop")
	cfg, err := SweeperConfig{Contact: "https://example.org/probe"}.withDefaults()
	if err != nil {
		b.Fatal(err)
	}
	wire, err := openICMP(&cfg, func(Arrival) {})
	if err != nil {
		b.Fatal(err)
	}
	defer wire.Close()
	packets := make([]Packet, batchLimit)
	for i := range packets {
		packets[i] = Packet{Ticket: Ticket(i), Target: netip.AddrFrom4([4]byte{198, 18, 1, byte(i)}), Protocol: ICMP}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; sent += len(packets) {
		wire.Send(packets)
	}
}

func BenchmarkICMPSweep22(b *testing.B) { benchmarkICMPSweep(b, "198.18.0.0/22") }
func BenchmarkICMPSweep16(b *testing.B) { benchmarkICMPSweep(b, "198.18.0.0/16") }

// benchmarkICMPSweep sweeps a space that answers: send, receive and account. It is no sub-benchmark, for these run on
// goroutines that have not entered the namespace.
func benchmarkICMPSweep(b *testing.B, cidr string) {
	enterNamespace(b)
	command(b, "ip route add local "+cidr+" dev lo")
	s := openTest(b, SweeperConfig{Contact: "https://example.org/probe"}, ICMP)
	space := testSpace(b, cidr)
	b.ReportAllocs()
	for b.Loop() {
		if got := lives(sweepNow(b, s, space), 0); got != space.Len() {
			b.Fatalf("%d of %d answered", got, space.Len())
		}
	}
	b.ReportMetric(float64(b.N*space.Len())/b.Elapsed().Seconds(), "probes/s")
}
