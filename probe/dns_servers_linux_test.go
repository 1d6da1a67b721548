package probe

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// start runs a server until the test ends.
func start(t *testing.T, program string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		skipUnlessCI(t, "no "+program+" here: "+err.Error())
	}
	var out bytes.Buffer
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, out.Bytes())
		}
	})
}

func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// startNamed runs BIND at an address, with authority over the root and over a zone that it cannot load.
func startNamed(t *testing.T, address string) {
	t.Helper()
	command(t, "ip addr add "+address+"/32 dev lo") // it listens on addresses of interfaces only
	dir := t.TempDir()
	writeFile(t, dir, "root.zone", `$TTL 60
. SOA a. b. 1 60 60 60 60
. NS a.
a. A 198.18.1.1
`)
	start(t, "named", "-g", "-c", writeFile(t, dir, "named.conf", `
options {
	directory "`+dir+`"; pid-file none; session-keyfile none;
	listen-on { `+address+`; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no;
};
controls { };
zone "." { type primary; file "root.zone"; };
zone "broken." { type primary; file "missing.zone"; };
`))
}

// startUnbound runs Unbound at an address. It refuses what is asked without recursion desired.
func startUnbound(t *testing.T, address string) {
	t.Helper()
	dir := t.TempDir()
	start(t, "unbound", "-d", "-p", "-c", writeFile(t, dir, "unbound.conf", `
server:
	interface: `+address+`
	access-control: 0.0.0.0/0 allow
	local-zone: "gone." static
	directory: "`+dir+`"
	chroot: ""
	username: ""
	use-syslog: no
	module-config: "iterator"
remote-control:
	control-enable: no
`))
}

// answers waits until a server that is starting answers a question, asked by another client than ours, as it should.
func answers(t *testing.T, server, name string, kind uint16, rcode int) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, kind)
	m.RecursionDesired = false
	client := dns.Client{Timeout: 200 * time.Millisecond}
	eventually(t, server+" says "+dns.RcodeToString[rcode], func() bool {
		r, _, err := client.Exchange(m, netip.AddrPortFrom(netip.MustParseAddr(server), dnsPort).String())
		return err == nil && r.Rcode == rcode
	})
}

func TestDNSServers(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	startNamed(t, "198.18.1.1")
	startUnbound(t, "198.18.1.2")
	for _, test := range []struct {
		server, name string
		kind         uint16
		rcode        int
	}{
		{"198.18.1.1", ".", dns.TypeNS, dns.RcodeSuccess},
		{"198.18.1.1", "nothing.", dns.TypeA, dns.RcodeNameError},
		{"198.18.1.1", "Broken.", dns.TypeSOA, dns.RcodeServerFailure},
		{"198.18.1.2", ".", dns.TypeNS, dns.RcodeRefused},
		{"198.18.1.2", "host.gone.", dns.TypeAAAA, dns.RcodeNameError},
	} {
		answers(t, test.server, test.name, test.kind, test.rcode)
		w := drive(t, openDNS, SweeperConfig{DNSName: test.name, DNSType: test.kind})
		for attempt := range 2 { // with EDNS, and without
			if _, err := w.send(test.server, DNS, attempt); err != nil {
				t.Fatal(err)
			}
			if a := w.next(); a.Outcome != Reply || a.RTT <= 0 || a.RTT > patience {
				t.Errorf("%s, %s: %+v, want a reply", test.server, test.name, a)
			}
		}
		if n := w.tally.forgedPackets.Load() + w.tally.malformed.Load(); n != 0 {
			t.Errorf("%s, %s: %d answers were not believed", test.server, test.name, n)
		}
	}
}

// A sweep finds the servers of a space, and takes a kernel's port-unreachable for life.
func TestDNSSweep(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sysctl(t, "net/ipv4/icmp_ratelimit", "0")
	sysctl(t, "net/ipv4/icmp_msgs_per_sec", "100000")
	sysctl(t, "net/ipv4/icmp_msgs_burst", "10000")
	startNamed(t, "198.18.1.1")
	startUnbound(t, "198.18.1.2")
	answers(t, "198.18.1.1", ".", dns.TypeNS, dns.RcodeSuccess)
	answers(t, "198.18.1.2", ".", dns.TypeNS, dns.RcodeRefused)
	space := testSpace(t, "198.18.0.0/22")
	s := openTest(t, SweeperConfig{}, DNS)
	sweep, err := s.Start(t.Context(), Order{Space: space, Aims: []Aim{{DNS, space}}})
	if err != nil {
		t.Fatal(err)
	}
	<-sweep.Sent()
	r, _ := sweep.Round()
	refused := 0
	var replies []string
	for _, a := range r.Passes[0].Answers {
		switch a.Outcome {
		case Reply:
			replies = append(replies, space.Addr(int(a.Target)).String())
		case Refused:
			refused++
		}
	}
	if len(replies) != 2 || replies[0] != "198.18.1.1" || replies[1] != "198.18.1.2" || refused != 1022 {
		t.Errorf("replies of %v and %d refusals, want the two servers and 1022; %+v", replies, refused, s.Stats())
	}
}

// oddServer answers each question with the messages that answer makes of it, from the address it was asked at.
func oddServer(t *testing.T, address string, answer func(query *dns.Msg) [][]byte) {
	t.Helper()
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(netip.MustParseAddr(address), dnsPort).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			query := new(dns.Msg)
			if err := query.Unpack(b[:n]); err != nil {
				t.Errorf("our question cannot be read: %v", err)
				return
			}
			for _, m := range answer(query) {
				if _, err := c.WriteTo(m, from); err != nil {
					t.Errorf("answer at %s: %v", address, err)
				}
			}
		}
	}()
}

// reply is a packed answer to query, after change.
func reply(query *dns.Msg, change func(*dns.Msg)) []byte {
	m := new(dns.Msg).SetReply(query)
	if change != nil {
		change(m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// A host that drops what has EDNS is found by the sweep's second attempt, if it is a usual one.
func TestDNSSweepAsksAgainWithoutEDNS(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	oddServer(t, "198.18.1.20", func(q *dns.Msg) [][]byte {
		if q.IsEdns0() != nil {
			return nil
		}
		return [][]byte{reply(q, nil)}
	})
	space := testSpace(t, "198.18.1.20")
	s := openTest(t, SweeperConfig{Timeout: time.Second, Retries: 1}, DNS)
	for _, usual := range []bool{false, true} {
		sweep, err := s.Start(t.Context(), Order{Space: space, Aims: []Aim{{DNS, space}}, Span: time.Millisecond,
			Usual: func(netip.Addr, Protocol) bool { return usual }})
		if err != nil {
			t.Fatal(err)
		}
		<-sweep.Sent()
		r, _ := sweep.Round()
		if got := len(r.Passes[0].Answers) == 1; got != usual {
			t.Errorf("usual: %t; answered: %t", usual, got)
		}
	}
}

// An answer after the timeout is late, and life.
func TestDNSSweepLate(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	answerNow := make(chan struct{})
	oddServer(t, "198.18.1.20", func(q *dns.Msg) [][]byte {
		<-answerNow
		return [][]byte{reply(q, nil), reply(q, nil)}
	})
	space := testSpace(t, "198.18.1.20")
	s := openTest(t, SweeperConfig{Timeout: 50 * time.Millisecond, LateWindow: patience}, DNS)
	sweep, err := s.Start(t.Context(), Order{Space: space, Aims: []Aim{{DNS, space}}, Span: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	<-sweep.Sent()
	if r, _ := sweep.Round(); len(r.Passes[0].Answers) != 0 {
		t.Fatalf("answered before its time: %+v", r.Passes[0])
	}
	close(answerNow)
	eventually(t, "the answer is late", func() bool {
		r, _ := sweep.Round()
		return len(r.Passes[0].Answers) == 1 && r.Passes[0].Answers[0].Outcome == Late
	})
	// Once nothing is silent any more the sweep may be over, and what comes then is of no sweep under way.
	eventually(t, "its duplicate is counted", func() bool { return s.Stats().Duplicates+s.Stats().Unknown == 1 })
}
