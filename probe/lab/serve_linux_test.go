package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"brownout/probe"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// skipUnlessCI skips a test for want of a privilege or a program, which on CI is a failure.
func skipUnlessCI(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("on CI nothing may be skipped: " + why)
	}
	t.Skip(why)
}

// serve serves a scenario from a moment on, in real time, until the test ends.
func serve(t testing.TB, s *Scenario, at probe.Instant) *Lab {
	t.Helper()
	if !Inside() {
		skipUnlessCI(t, "no network namespace of our own")
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Serve(ctx, Config{World: world(t, s), Clock: probe.NewScaledClock(ctx, at.Time(), 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// need finds a program that a test uses as an oracle.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		skipUnlessCI(t, program+" is not installed")
	}
	return path
}

func addresses(s probe.Space) []string {
	all := make([]string, s.Len())
	for i := range all {
		all[i] = s.Addr(i).String()
	}
	return all
}

// expected are the addresses that answer for certain, in order.
func expected(w *World, t probe.Instant, p probe.Protocol) []string {
	var all []string
	for i := range w.space.Len() {
		if a := w.space.Addr(i); w.undisturbed(t, a, p).Kind != None {
			all = append(all, a.String())
		}
	}
	return all
}

func TestFpingFindsTheRespondersOfTheScenario(t *testing.T) {
	fping := need(t, "fping")
	s := quiet(t, "one-block-dark")
	for _, at := range []probe.Instant{s.Start, instant(t, "2015-03-02T10:00:00Z")} {
		l := serve(t, s, at)
		cmd := exec.Command(fping, "-a", "-q", "-r", "3", "-i", "1", "-t", "400") // a busy machine may answer late
		cmd.Stdin = strings.NewReader(strings.Join(addresses(s.Space), "\n") + "\n" + s.References[0].String() + "\n" + Gateway.String() + "\n")
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: some did not answer
			t.Fatal(err)
		}
		got := strings.Fields(string(out))
		want := append(expected(world(t, s), at, probe.ICMP), s.References[0].String(), Gateway.String())
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("at %s fping finds %v, want %v", at, got, want)
		}
		if stats := l.Stats(); stats.Failed != 0 {
			t.Errorf("%d packets could not be written", stats.Failed)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNmapFindsThePortsOfTheScenario(t *testing.T) {
	nmap := need(t, "nmap")
	s := quiet(t, "steady")
	serve(t, s, s.Start)
	want := map[string]bool{}
	ports := []uint16{22, 25, 53, 80, 443}
	var targets []string
	for i := range s.Hosts {
		h := &s.Hosts[i]
		targets = append(targets, h.Address.String())
		for _, port := range ports {
			state := "filtered"
			if slices.Contains(h.Open, port) {
				state = "open"
			} else if slices.Contains(h.Refuse, port) {
				state = "closed"
			}
			want[fmt.Sprintf("%s %d/%s", h.Address, port, state)] = true
		}
	}
	cmd := exec.Command(nmap, append([]string{"-sT", "-Pn", "-n", "-p", "22,25,53,80,443", "--max-retries", "3", "--max-rtt-timeout", "500ms", "-oG", "-"}, targets...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		head, list, ok := strings.Cut(line, "Ports: ")
		if !ok {
			continue
		}
		address := strings.Fields(head)[1]
		list, _, _ = strings.Cut(list, "\t")
		for _, port := range strings.Split(strings.TrimSpace(list), ", ") {
			parts := strings.Split(port, "/")
			if key := fmt.Sprintf("%s %s/%s", address, parts[0], parts[1]); !want[key] {
				t.Errorf("nmap says %s", key)
			}
			n++
		}
	}
	if n != len(want) {
		t.Errorf("nmap judged %d ports, want %d:\n%s", n, len(want), out)
	}
}

func TestAConnectionOpensCarriesAndCloses(t *testing.T) {
	s := quiet(t, "steady")
	serve(t, s, s.Start)
	open := netip.AddrPortFrom(netip.MustParseAddr("198.18.0.10"), 53)
	c, err := net.Dial("tcp", open.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || err.Error() != "EOF" {
		t.Errorf("after the close: %d bytes, %v, want EOF", n, err)
	}
	if _, err := net.Dial("tcp", "198.18.0.10:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a refusing port: %v", err)
	}
	d := net.Dialer{Timeout: 100 * time.Millisecond}
	var timeout net.Error
	if _, err := d.Dial("tcp", "198.18.0.10:443"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a silent port: %v", err)
	}
}

func TestNameServersAnswerWithTheirCodes(t *testing.T) {
	s := quiet(t, "steady")
	s.Hosts = append(s.Hosts, Host{Address: netip.MustParseAddr("198.18.3.255"), Availability: 1, Spell: time.Minute, DNS: DNSClosed})
	serve(t, s, s.Start)
	q := new(dns.Msg).SetQuestion(".", dns.TypeNS)
	q.SetEdns0(1232, false)
	for a, want := range map[string]int{"198.18.0.10": dns.RcodeSuccess, "198.18.0.11": dns.RcodeRefused, "198.18.0.13": dns.RcodeServerFailure} {
		reply, err := dns.Exchange(q, a+":53")
		if err != nil {
			t.Errorf("%s: %v", a, err)
			continue
		}
		if reply.Rcode != want || reply.IsEdns0() == nil || len(reply.Question) != 1 || reply.Question[0] != q.Question[0] {
			t.Errorf("%s answers %v, want %s", a, reply, dns.RcodeToString[want])
		}
	}
	if _, err := dns.Exchange(q, "198.18.3.255:53"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port: %v", err)
	}
}

// echoes is a raw ICMP socket of the test's own.
type echoes struct {
	conn *net.IPConn
}

func openEchoes(t *testing.T) *echoes {
	t.Helper()
	c, err := net.ListenPacket("ip4:icmp", Source.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &echoes{conn: c.(*net.IPConn)}
}

// message is an ICMP message that came, and from where.
type message struct {
	from string
	b    []byte
}

// exchange sends an echo request with an id and collects every message until a reference, asked after the wait, answers.
func (e *echoes) exchange(t *testing.T, target string, id byte, wait time.Duration) []message {
	t.Helper()
	e.ask(t, target, id)
	fence := time.AfterFunc(wait, func() { e.ask(t, "198.19.1.1", 0xee) })
	defer fence.Stop()
	e.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var all []message
	for {
		b := make([]byte, 1500)
		n, from, err := e.conn.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		if b[0] == echoReply && b[4] == 0xee {
			return all
		}
		all = append(all, message{from: from.String(), b: b[:n]})
	}
}

func (e *echoes) ask(t *testing.T, target string, id byte) {
	request := make([]byte, 40)
	request[0], request[4], request[7] = echoRequest, id, 1
	for i := icmpLen; i < len(request); i++ {
		request[i] = byte(i)
	}
	sum := ^fold(sumOf(0, request))
	request[2], request[3] = byte(sum>>8), byte(sum)
	if _, err := e.conn.WriteTo(request, &net.IPAddr{IP: net.ParseIP(target)}); err != nil {
		t.Error(err)
	}
}

// genuine reports whether a message is the true answer to a request of ask.
func genuine(m message, target string, id byte) bool {
	want := make([]byte, 40)
	want[4], want[7] = id, 1
	for i := icmpLen; i < len(want); i++ {
		want[i] = byte(i)
	}
	sum := ^fold(sumOf(0, want))
	want[2], want[3] = byte(sum>>8), byte(sum)
	return m.from == target && bytes.Equal(m.b, want)
}

// noisy is a scenario of one host with one kind of noise.
func noisy(t *testing.T, n Noise, h Host, timeline ...Phase) *Scenario {
	t.Helper()
	s := quiet(t, "steady")
	h.Address, h.Availability, h.Spell, h.ICMP = netip.MustParseAddr("198.18.1.9"), 1, time.Minute, true
	s.Hosts, s.Noise, s.Timeline = []Host{h}, n, timeline
	return s
}

func TestNoiseOnTheWire(t *testing.T) {
	const target = "198.18.1.9"
	dark := func(s *Scenario) Phase { return Phase{From: s.Start, To: s.End, State: Total} }
	steady := quiet(t, "steady")
	router := netip.MustParseAddr("198.19.254.1")
	for name, c := range map[string]struct {
		s     *Scenario
		check func(all []message) string
	}{
		"duplicates": {noisy(t, Noise{Duplicates: 1}, Host{}), func(all []message) string {
			if len(all) == 2 && genuine(all[0], target, 7) && genuine(all[1], target, 7) {
				return ""
			}
			return "two true answers"
		}},
		"corrupted": {noisy(t, Noise{Corrupted: 1}, Host{}), func(all []message) string {
			if len(all) == 1 && !genuine(all[0], target, 7) && fold(sumOf(0, all[0].b)) != 0xffff {
				return ""
			}
			return "one answer with a wrong checksum"
		}},
		"forged": {noisy(t, Noise{Forged: 1}, Host{}), func(all []message) string {
			if len(all) == 2 && !genuine(all[0], target, 7) && fold(sumOf(0, all[0].b)) == 0xffff && genuine(all[1], target, 7) {
				return ""
			}
			return "a false answer and a true one"
		}},
		"unreachable": {noisy(t, Noise{Unreachable: 1, Router: router}, Host{}, dark(steady)), func(all []message) string {
			if len(all) == 1 && all[0].from == router.String() && all[0].b[0] == 3 && all[0].b[icmpLen+ipLen] == echoRequest {
				return ""
			}
			return "one report of the router that quotes the request"
		}},
		"dark": {noisy(t, Noise{}, Host{}, dark(steady)), func(all []message) string {
			if len(all) == 0 {
				return ""
			}
			return "nothing"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, c.s, c.s.Start)
			all := openEchoes(t).exchange(t, target, 7, 20*time.Millisecond)
			if want := c.check(all); want != "" {
				t.Errorf("%d messages: %v; want %s", len(all), all, want)
			}
		})
	}
}

func TestDelayedAnswersAreNeverEarly(t *testing.T) {
	s := noisy(t, Noise{Late: 1, LateBy: 60 * time.Millisecond}, Host{RTT: 20 * time.Millisecond})
	serve(t, s, s.Start)
	all := openEchoes(t).exchange(t, "198.18.1.9", 7, 2*time.Second)
	if len(all) != 1 || !genuine(all[0], "198.18.1.9", 7) {
		t.Fatalf("%d messages: %v", len(all), all)
	}
	e := openEchoes(t)
	start := time.Now()
	e.ask(t, "198.18.1.9", 8)
	e.conn.SetReadDeadline(start.Add(10 * time.Second))
	if _, _, err := e.conn.ReadFrom(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 80*time.Millisecond {
		t.Errorf("the answer took %s, less than the host's 20 ms and the 60 ms of lateness", took)
	}
}

func TestALabLeavesNothingBehind(t *testing.T) {
	if !Inside() {
		skipUnlessCI(t, "no network namespace of our own")
	}
	ignore := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Serve(ctx, Config{World: builtin(t, "steady")})
	if err != nil {
		t.Fatal(err)
	}
	device := l.Device()
	cancel()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, ignore)
	if _, err := net.InterfaceByName(device); err == nil {
		t.Errorf("%s is still there", device)
	}
}

func TestALabRefusesANetworkThatLeadsSomewhere(t *testing.T) {
	s := quiet(t, "steady")
	serve(t, s, s.Start) // its default route leads to us
	if l, err := Serve(context.Background(), Config{World: world(t, s)}); err == nil {
		l.Close()
		t.Error("a lab opened beside a default route")
	}
}

// BenchmarkEcho measures echo requests a second, answered without delay, to a sender that awaits a window of 128.
func BenchmarkEcho(b *testing.B) {
	s := &Scenario{Start: 0, End: 1 << 50, Demo: Demo{BlockBits: 24}}
	s.Space, _ = probe.ParseSpace([]string{"198.18.0.0/24"}, nil)
	for i := range 256 {
		s.Hosts = append(s.Hosts, Host{Address: s.Space.Addr(i), Availability: 1, Spell: time.Minute, ICMP: true})
	}
	l := serve(b, s, 1)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	window := make(chan struct{}, 128) // a default receive buffer holds about 270 answers
	var answered sync.WaitGroup
	answered.Go(func() {
		buf := make([]byte, 256)
		for range b.N {
			unix.Recvfrom(fd, buf, 0)
			<-window
		}
	})
	request := make([]byte, 64)
	request[0] = echoRequest
	sum := ^fold(sumOf(0, request))
	request[2], request[3] = byte(sum>>8), byte(sum)
	b.ResetTimer()
	for i := range b.N {
		window <- struct{}{}
		if err := unix.Sendto(fd, request, 0, &unix.SockaddrInet4{Addr: [4]byte{198, 18, 0, byte(i)}}); err != nil {
			b.Fatal(err)
		}
	}
	answered.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "echo/s")
	if err := l.Close(); err != nil { // and its counts are complete
		b.Error(err)
	}
	if stats := l.Stats(); stats.Out != uint64(b.N) {
		b.Errorf("%d answers to %d requests", stats.Out, b.N)
	}
}
