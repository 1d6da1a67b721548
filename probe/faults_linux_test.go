package probe

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The tests of faults sweep a space that lives, all of it, while something of this host is broken. No service may then be
// counted as silent. All of them ask by ICMP with either kind of socket, by TCP and by DNS.

// openFaulty opens two sweepers: one of all protocols with a raw ICMP socket, and one of ICMP with a datagram socket.
func openFaulty(t *testing.T, cfg SweeperConfig) []*Sweeper {
	t.Helper()
	raw, datagram := cfg, cfg
	raw.ICMP, datagram.ICMP = ICMPRaw, ICMPDatagram
	datagram.Rate /= 3 // it asks by one protocol, the other by three: so they end at about one time
	return []*Sweeper{openTest(t, raw, ICMP, TCP(80), DNS), openTest(t, datagram, ICMP)}
}

// startFaulty starts a sweep of every target by every protocol that each sweeper has. Every service is a usual one.
func startFaulty(t *testing.T, sweepers []*Sweeper, span time.Duration, targets ...string) (sweeps []*Sweep) {
	t.Helper()
	space := testSpace(t, targets...)
	for i, s := range sweepers {
		o := Order{Space: space, Aims: []Aim{{ICMP, space}}, Span: span, Seed: uint64(i),
			Usual: func(netip.Addr, Protocol) bool { return true }}
		if s.wires[kindTCP] != nil {
			o.Aims = append(o.Aims, Aim{TCP(80), space}, Aim{DNS, space})
		}
		w, err := s.Start(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		sweeps = append(sweeps, w)
	}
	return sweeps
}

// blameless waits for sweeps to end and fails the test where one counts a service as silent. It returns the outcomes by
// protocol, those of ICMP by a datagram socket as "datagram".
func blameless(t *testing.T, sweeps []*Sweep) map[string]map[Outcome]int {
	t.Helper()
	all := map[string]map[Outcome]int{}
	for i, w := range sweeps {
		<-w.Sent()
		r, _ := w.Round()
		for _, pass := range r.Passes {
			name := pass.Protocol.String()
			if i == 1 {
				name = "datagram"
			}
			got := outcomes(pass)
			got[Timeout] = pass.Targets.Len() - len(pass.Answers) - len(pass.Unsent)
			if n := got[Timeout] + got[Unreachable]; n > 0 {
				t.Errorf("%s: %d of %d are counted as silent: %v, local failures %v", name, n, pass.Targets.Len(), got,
					w.sweeper.Stats().Protocols[pass.Protocol].Local)
			}
			all[name] = got
		}
	}
	return all
}

// wantSome fails the test where a protocol has no service of an outcome: then the fault has missed it.
func wantSome(t *testing.T, all map[string]map[Outcome]int, o Outcome) {
	t.Helper()
	for name, got := range all {
		if got[o] == 0 {
			t.Errorf("%s: nothing is %s: %v", name, o, got)
		}
	}
}

// wantAny fails the test where nothing at all has that outcome: then the fault did not strike.
func wantAny(t *testing.T, all map[string]map[Outcome]int, o Outcome) {
	t.Helper()
	for _, got := range all {
		if got[o] > 0 {
			return
		}
	}
	t.Errorf("nothing is %s: %v", o, all)
}

// openAlive is a far namespace in which every address answers by every protocol.
func openAlive(t *testing.T) *far {
	t.Helper()
	f := openFar(t)
	f.accept(t, 80)
	f.resolve(t, 0)
	return f
}

// resolve answers DNS at every far address, after a delay.
func (f *far) resolve(t *testing.T, delay time.Duration) {
	t.Helper()
	server := &dns.Server{PacketConn: f.packetConn(t, "udp", ":53")}
	server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		time.AfterFunc(delay, func() { _ = w.WriteMsg(new(dns.Msg).SetReply(q)) })
	})
	go server.ActivateAndServe()
	t.Cleanup(func() { _ = server.Shutdown() })
}

// halfSent waits until about half of every sweep is sent.
func halfSent(t *testing.T, sweeps []*Sweep) {
	t.Helper()
	eventually(t, "half is sent", func() bool {
		for _, w := range sweeps {
			if sent, planned, _ := w.Progress(); sent < planned/2 {
				return false
			}
		}
		return true
	})
}
