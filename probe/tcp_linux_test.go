package probe

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// listen accepts TCP connections, and counts those that a program would have seen, until the test ends.
func listen(t *testing.T, address string) (accepted func() int) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	n := make(chan int, 1)
	n <- 0
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n <- <-n + 1
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return func() int { k := <-n; n <- k; return k }
}

func TestTCPOutcomes(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	accepted := listen(t, "198.18.0.1:80")
	listen(t, "[fd00:198:18::1]:80")
	for _, a := range []string{"fd00:198:18::20", "fd00:198:18::21"} {
		command(t, "ip addr add "+a+"/128 dev lo nodad") // else lo itself sends its errors
	}
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	for _, rule := range []string{
		"ip daddr 198.18.0.20 tcp dport 80 reject with icmp type port-unreachable",
		"ip daddr 198.18.0.21 tcp dport 80 reject with icmp type admin-prohibited",
		"ip daddr 198.18.0.22 tcp dport 80 reject with icmp type host-unreachable",
		"ip6 daddr fd00:198:18::20 tcp dport 80 reject with icmpv6 type port-unreachable",
		"ip6 daddr fd00:198:18::21 tcp dport 80 reject with icmpv6 type admin-prohibited",
	} {
		command(t, "nft add rule inet t in "+rule)
	}
	w := drive(t, openTCP, SweeperConfig{})
	for _, test := range []struct {
		target     string
		outcome    Outcome
		kind, code uint8
	}{
		{target: "198.18.0.1", outcome: Reply},
		{target: "198.18.0.2", outcome: Refused},
		{target: "198.18.0.20", outcome: Refused}, // the target itself says that nobody listens
		{target: "198.18.0.21", outcome: Unreachable, kind: 3, code: 13},
		{target: "198.18.0.22", outcome: Unreachable, kind: 3, code: 1},
		{target: "fd00:198:18::1", outcome: Reply},
		{target: "fd00:198:18::2", outcome: Refused},
		{target: "fd00:198:18::20", outcome: Refused},
		{target: "fd00:198:18::21", outcome: Unreachable, kind: 1, code: 1},
	} {
		a := w.ask(test.target, TCP(80))
		if a.Outcome != test.outcome || a.Type != test.kind || a.Code != test.code {
			t.Errorf("%s: %+v, want %v %d %d", test.target, a, test.outcome, test.kind, test.code)
		}
		if a.RTT <= 0 || a.RTT > patience || time.Since(a.At) > patience {
			t.Errorf("%s: RTT %v at %v", test.target, a.RTT, a.At)
		}
		if from := netip.MustParseAddr(test.target); a.Outcome == Unreachable && a.From != from {
			t.Errorf("%s: error from %v", test.target, a.From)
		}
	}
	if n := accepted(); n != 0 {
		t.Errorf("the target's program saw %d connections", n)
	}
	if left := w.wire.(*tcpWire).Room(); left != len(w.wire.(*tcpWire).conns) {
		t.Errorf("%d slots are free, of %d", left, len(w.wire.(*tcpWire).conns))
	}
}

// slots is how many attempts of a TCP wire are under way.
func slots(w *wireTest) int {
	wire := w.wire.(*tcpWire)
	wire.mu.Lock()
	defer wire.mu.Unlock()
	return len(wire.conns) - len(wire.free)
}

func TestTCPSilence(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	command(t, "nft add rule inet t in ip daddr 198.18.0.30 counter drop")
	w := drive(t, openTCP, SweeperConfig{Timeout: 1500 * time.Millisecond})
	if _, err := w.send("198.18.0.30", TCP(80), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the kernel gives up", func() bool { return slots(w) == 0 })
	if len(w.arrivals) != 0 {
		t.Errorf("of a silent target arrived %+v", <-w.arrivals)
	}
	if rules := command(t, "nft list chain inet t in"); !strings.Contains(rules, "counter packets 2 ") {
		t.Errorf("other than two SYNs were sent:\n%s", rules)
	}
}

func TestTCPAnswerToARetransmission(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	listen(t, "198.18.0.1:80")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	command(t, "nft add rule inet t in tcp dport 80 drop")
	w := drive(t, openTCP, SweeperConfig{})
	if _, err := w.send("198.18.0.1", TCP(80), 0); err != nil {
		t.Fatal(err)
	}
	command(t, "nft flush chain inet t in")
	a := w.next()
	// The kernel sends again after a second, and its own RTT would begin there.
	if a.Outcome != Reply || a.RTT < 900*time.Millisecond {
		t.Errorf("arrived %+v, want a reply that took a second", a)
	}
}

func TestTCPForget(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	listen(t, "198.18.0.1:80")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	command(t, "nft add rule inet t in ip daddr 198.18.0.30 drop")
	w := drive(t, openTCP, SweeperConfig{})
	ticket, err := w.send("198.18.0.30", TCP(80), 0)
	if err != nil || slots(w) != 1 {
		t.Fatalf("%v, %d slots in use", err, slots(w))
	}
	w.wire.Forget([]Ticket{ticket, ticket, ticket + 1})
	if slots(w) != 0 {
		t.Errorf("%d slots in use", slots(w))
	}
	w.quiet("198.18.0.1", TCP(80))
}

func TestTCPLocalFailures(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	command(t, "ip route add unreachable 198.19.1.0/24")
	command(t, "ip route add prohibit 198.19.2.0/24")
	w := drive(t, openTCP, SweeperConfig{})
	for target, want := range map[string]unix.Errno{
		"198.19.0.1":    unix.ENETUNREACH,
		"198.19.1.1":    unix.EHOSTUNREACH,
		"198.19.2.1":    unix.EACCES,
		"fd00:198:19::": unix.ENETUNREACH,
	} {
		if _, err := w.send(target, TCP(80), 0); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", target, err, want)
		}
	}
	if slots(w) != 0 || len(w.arrivals) != 0 {
		t.Errorf("%d slots in use, %d arrivals", slots(w), len(w.arrivals))
	}
}

func TestTCPFullBacklogIsSilence(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	listen(t, "198.18.0.1:80")
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	full := netip.MustParseAddr("198.18.0.40")
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: full.As4(), Port: 80}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", "198.18.0.40:80") // nobody accepts it
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := drive(t, openTCP, SweeperConfig{})
	if _, err := w.send("198.18.0.40", TCP(80), 0); err != nil {
		t.Fatal(err)
	}
	w.quiet("198.18.0.1", TCP(80))
	if slots(w) != 1 {
		t.Errorf("%d slots in use, want that of the silent one", slots(w))
	}
}

func TestTCPWindow(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	listen(t, "198.18.0.1:80")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	command(t, "nft add rule inet t in ip daddr 198.18.1.0/24 drop")
	limit := unix.Rlimit{Cur: 48, Max: 64}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	w := drive(t, openTCP, SweeperConfig{Timeout: 2 * time.Second})
	room := w.wire.(roomy)
	if n := room.Room(); n != 32 {
		t.Fatalf("room for %d, want 32: the soft limit is raised to 64, and half is left to others", n)
	}
	began := time.Now()
	for i := range 32 {
		if _, err := w.send(fmt.Sprintf("198.18.1.%d", i), TCP(80), 0); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.send("198.18.1.99", TCP(80), 0)
	if time.Since(began) > 2*time.Second {
		t.Skip("the machine is too slow to fill the window within a timeout")
	}
	if !errors.Is(err, errWindow) || !passing(err) || room.Room() != 0 {
		t.Fatalf("beyond the window: %v, room for %d", err, room.Room())
	}
	eventually(t, "silent attempts are overdue and make room", func() bool { return room.Room() > 0 })
	w.quiet("198.18.0.1", TCP(80))
}

func TestTCPWithoutDescriptors(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := drive(t, openTCP, SweeperConfig{})
	var files []*os.File
	limit := unix.Rlimit{Cur: 64, Max: 64}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		files = append(files, f)
	}
	_, err := w.send("198.18.0.2", TCP(80), 0)
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("without descriptors: %v", err)
	}
	for _, f := range files {
		f.Close()
	}
	if a := w.ask("198.18.0.2", TCP(80)); a.Outcome != Refused {
		t.Errorf("with descriptors again: %+v", a)
	}
}

func TestTCPClosed(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	listen(t, "198.18.0.1:80")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	command(t, "nft add rule inet t in ip daddr 198.18.0.30 drop")
	before, goroutines := openFiles(t), goleak.IgnoreCurrent()
	w := drive(t, openTCP, SweeperConfig{})
	for range 10 {
		if _, err := w.send("198.18.0.30", TCP(80), 0); err != nil {
			t.Fatal(err)
		}
	}
	w.quiet("198.18.0.1", TCP(80))
	if err := errors.Join(w.wire.Close(), w.wire.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send("198.18.0.1", TCP(80), 0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files are open, %d before", after, before)
	}
	goleak.VerifyNone(t, goroutines)
}

// A sweep must find every listener of a /22, with far fewer descriptors than addresses, some of them silent.
func TestTCPSweep(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	listen(t, ":80")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	command(t, "nft add rule inet t in ip daddr 198.18.3.0/26 drop")
	limit := unix.Rlimit{Cur: 256, Max: 256}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	space := testSpace(t, "198.18.0.0/22")
	s := openTest(t, SweeperConfig{Timeout: 2 * time.Second}, TCP(80), TCP(81))
	sweep, err := s.Start(t.Context(), Order{Space: space, Aims: []Aim{{TCP(80), space}, {TCP(81), space}}})
	if err != nil {
		t.Fatal(err)
	}
	<-sweep.Sent()
	r, _ := sweep.Round()
	got := map[Outcome]int{}
	for i := range r.Passes {
		got[Unsent] += len(r.Passes[i].Unsent)
		for _, a := range r.Passes[i].Answers {
			got[a.Outcome]++
		}
	}
	if want := map[Outcome]int{Reply: 960, Refused: 960, Unsent: 0}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v; local failures %+v", got, want, s.Stats())
	}
}

// TestAPortServesEveryTargetAtOnce is what `doctor` says: the kernel lets attempts at different targets share a port.
func TestAPortServesEveryTargetAtOnce(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sysctl(t, "net/ipv4/ip_local_port_range", "40000 40001")
	nft(t, "input", "tcp dport 80 drop")
	s := openTest(t, SweeperConfig{Timeout: 300 * time.Millisecond}, TCP(80))
	space := testSpace(t, "198.18.0.0/22")
	w, err := s.Start(t.Context(), Order{Space: space, Aims: []Aim{{TCP(80), space}}})
	if err != nil {
		t.Fatal(err)
	}
	<-w.Sent()
	r, _ := w.Round()
	if n := len(r.Passes[0].Unsent); n > 0 {
		t.Errorf("%d of %d were not sent: %v", n, space.Len(), s.Stats().Protocols[TCP(80)].Local)
	}
}
