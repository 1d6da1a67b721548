package probe

import (
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// TestSecondPingerWithOurID: another program pings the same targets with our own id, all of them, the silent too. Its
// answers reach our sockets, and credit nothing.
func TestSecondPingerWithOurID(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	// To half of the space our requests are dropped, whose ticket is not 0, and the other's are not.
	f.nft(t, "input", `icmp type echo-request ip daddr & 0.0.0.1 == 0.0.0.1 @th,64,64 != 0 drop`)
	sweepers := openFaulty(t, SweeperConfig{Timeout: 500 * time.Millisecond})
	space := testSpace(t, routed4)
	for i, s := range sweepers {
		pinger, err := net.ListenPacket("ip4:icmp", "198.19.0.1")
		if err != nil {
			t.Fatal(err)
		}
		defer pinger.Close()
		request := make([]byte, 64) // without ticket and MAC
		request[0] = echoRequest4
		binary.BigEndian.PutUint16(request[4:], s.wires[kindICMP].(*icmpWire).v4.echo.id)
		ping := func() {
			for k := range space.Len() {
				if _, err := pinger.WriteTo(resum(request), &net.IPAddr{IP: space.Addr(k).AsSlice()}); err != nil {
					t.Error(err)
				}
			}
		}
		ping()
		w := startFaulty(t, sweepers[i:i+1], 0, routed4)[0]
		ping()
		<-w.Sent()
		r, _ := w.Round()
		if got := outcomes(r.Passes[0]); got[Reply] != 128 || got[Timeout] != 128 {
			t.Errorf("sweeper %d: %v", i, got)
		}
		for _, a := range r.Passes[0].Answers {
			if space.Addr(int(a.Target)).As4()[3]&1 == 1 {
				t.Errorf("sweeper %d: %s is credited another's answer", i, space.Addr(int(a.Target)))
			}
		}
		if s.Stats().Forged == 0 {
			t.Errorf("sweeper %d: the other's answers did not come: the test is none", i)
		}
	}
}

// TestForgedAndMangledReplies: ten packets that only claim to be the answer come before each that is.
func TestForgedAndMangledReplies(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openFar(t)
	f.accept(t, 80)
	f.forge(t, 10)
	for _, buffer := range []string{"large", "tiny"} {
		sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
		if buffer == "tiny" {
			for _, s := range sweepers {
				shrink(t, s, unix.SO_RCVBUF)
			}
		}
		all := blameless(t, startFaulty(t, sweepers, 0, "198.18.8.128/25"))
		if buffer == "large" { // a tiny one may hold none but the forged
			wantSome(t, all, Reply)
		}
		for _, s := range sweepers {
			if st := s.Stats(); st.Forged+st.Malformed == 0 {
				t.Errorf("%s buffer: no forgery came: the test is none", buffer)
			}
		}
	}
}

// forge answers every echo request of IPv4 and every question with n packets that prove nothing, and then as it should.
func (f *far) forge(t *testing.T, n int) {
	t.Helper()
	f.do(func() { sysctl(t, "net/ipv4/icmp_echo_ignore_all", "1") })
	f.hear(t, func(c *ipv4.PacketConn, request []byte, from, target net.IP) {
		for i := range n + 1 {
			reply := slices.Clone(request)
			reply[0] = echoReply4
			if i < n {
				reply = mangleEcho(reply, i)
			} else {
				resum(reply)
			}
			_, _ = c.WriteTo(reply, &ipv4.ControlMessage{Src: target}, &net.IPAddr{IP: from})
		}
	})
	server := &dns.Server{PacketConn: f.packetConn(t, "udp", ":53")}
	server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer, err := new(dns.Msg).SetReply(q).Pack()
		if err != nil {
			t.Error(err)
		}
		for i := range n {
			_, _ = w.Write(mangleAnswer(slices.Clone(answer), i))
		}
		_, _ = w.Write(answer)
	})
	go server.ActivateAndServe()
	t.Cleanup(func() { _ = server.Shutdown() })
}

// mangleEcho spoils an echo reply in one of five ways.
func mangleEcho(b []byte, way int) []byte {
	switch way % 5 {
	case 0: // MAC
		b[icmpHeaderLen+proofLen-1] ^= 1
	case 1: // ticket
		b[icmpHeaderLen] ^= 1
	case 2: // sequence number
		b[7] ^= 1
	case 3: // length
		b = b[:icmpHeaderLen+proofLen-1]
	case 4: // code
		b[1] = 1
	}
	return resum(b)
}

// mangleAnswer spoils a DNS answer in one of four ways.
func mangleAnswer(b []byte, way int) []byte {
	switch way % 4 {
	case 0: // id
		b[0] ^= 1
	case 1: // no answer at all
		b[2] &^= 0x80
	case 2: // another question
		b[len(b)-4] ^= 1
	case 3: // cut off
		b = b[:dnsHeader-1]
	}
	return b
}

// TestRepliesFiveSecondsLate: what answers after five seconds is late, and lives. Of TCP the kernel gives up about when
// the timeout ends, and misses what comes after; so there a timeout is to be longer than the latest answer.
func TestRepliesFiveSecondsLate(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	const delay = 5 * time.Second
	f := openFar(t)
	f.answerEcho(t, delay)
	f.resolve(t, delay)
	sweepers := openFaulty(t, SweeperConfig{Timeout: time.Second, LateWindow: 15 * time.Second})
	sweeps := startFaulty(t, sweepers, 0, "198.18.8.0/26")
	patient := openTest(t, SweeperConfig{Timeout: 8 * time.Second}, TCP(80))
	f.nft(t, "input", "ip daddr 198.18.9.0/26 drop")
	space := testSpace(t, "198.18.9.0/26")
	slow, err := patient.Start(t.Context(), Order{Space: space, Aims: []Aim{{TCP(80), space}}})
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan struct{})
	time.AfterFunc(delay-900*time.Millisecond, func() { // so that the SYN of the fifth second gets through
		defer close(opened)
		f.command(t, "nft delete table inet f")
	})
	for i, w := range sweeps {
		<-w.Done()
		r, _ := w.Round()
		for _, pass := range r.Passes {
			if got := outcomes(pass); !pass.Protocol.IsTCP() && got[Late] != 64 {
				t.Errorf("sweep %d, %s: %v, want all late", i, pass.Protocol, got)
			}
		}
	}
	<-opened
	<-slow.Sent()
	r, _ := slow.Round()
	if got := outcomes(r.Passes[0]); got[Refused] != 64 {
		t.Errorf("tcp with a timeout of eight seconds: %v, want all refused", got)
	}
}
