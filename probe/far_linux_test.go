package probe

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// far is a second network namespace, at the other end of a veth pair: near0 here and far0 there. Its kernel owns, and so
// answers for,
//
//	198.18.8.0/21 and fd00:198:19::/64, which are behind a router: far0 itself
//	198.19.16.0/20, which is on the link
//
// None of it is on near0's side of the pair, which has 198.19.0.1 and fd00:198:20::1.
type far struct {
	calls chan func()
	tid   int
}

const (
	routed4 = "198.18.8.0/24"
	routed6 = "fd00:198:19::/120"
	onLink4 = "198.19.16.0/24"
)

// openFar makes the far namespace, which ends with the test. The test is to be in a namespace of its own.
func openFar(t *testing.T) *far {
	t.Helper()
	f := &far{calls: make(chan func())}
	entered := make(chan error)
	go f.live(entered)
	if err := <-entered; err != nil {
		skipUnlessCI(t, "no second network namespace: "+err.Error())
	}
	t.Cleanup(func() { close(f.calls) })
	command(t, "ip link add near0 type veth peer name far0")
	command(t, fmt.Sprintf("ip link set far0 netns %d", f.tid))
	for _, line := range []string{
		"ip link set lo up", "ip link set far0 up",
		"ip addr add 198.19.0.2/24 dev far0", "ip addr add fd00:198:20::2/64 dev far0 nodad",
		"ip route add local 198.18.8.0/21 dev lo", "ip route add local 198.19.16.0/20 dev lo",
		"ip -6 route add local fd00:198:19::/64 dev lo",
	} {
		f.command(t, line)
	}
	// The rate limits of ICMP errors are the target's, and no fault of ours.
	for name, value := range map[string]string{
		"net/ipv4/icmp_ratelimit": "0", "net/ipv4/icmp_msgs_per_sec": "100000", "net/ipv4/icmp_msgs_burst": "10000",
		"net/ipv6/icmp/ratelimit": "0", "net/ipv6/ip_nonlocal_bind": "1",
	} {
		f.do(func() { sysctl(t, name, value) })
	}
	connectNear(t)
	awaitCarrier(t)
	sysctl(t, "net/ipv4/ping_group_range", "0 2147483647")
	return f
}

// connectNear gives near0 its addresses and routes, as after it was down.
func connectNear(t *testing.T) {
	t.Helper()
	command(t, "ip link set near0 up")
	command(t, "ip addr replace 198.19.0.1/24 dev near0")
	command(t, "ip addr replace fd00:198:20::1/64 dev near0 nodad")
	command(t, "ip route replace 198.18.8.0/21 via 198.19.0.2")
	command(t, "ip route replace 198.19.16.0/20 dev near0")
	command(t, "ip -6 route replace fd00:198:19::/64 via fd00:198:20::2")
}

// awaitCarrier waits until the kernel says that near0 has a carrier, which it may do up to a second late.
func awaitCarrier(t *testing.T) {
	t.Helper()
	eventually(t, "near0 is up", func() bool { return strings.Contains(command(t, "ip link show near0"), "state UP") })
}

// live is the thread that is the namespace: whatever is to be there is called on it.
func (f *far) live(entered chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends here, and the namespace with it
	f.tid = unix.Gettid()
	entered <- unix.Unshare(unix.CLONE_NEWNET)
	for call := range f.calls {
		call()
	}
}

// do calls a function in the far namespace.
func (f *far) do(call func()) {
	done := make(chan struct{})
	f.calls <- func() {
		defer close(done)
		call()
	}
	<-done
}

// command runs a program in the far namespace.
func (f *far) command(t testing.TB, line string) {
	t.Helper()
	words := strings.Fields(line)
	var out []byte
	var err error
	f.do(func() { out, err = exec.Command(words[0], words[1:]...).CombinedOutput() })
	if err != nil {
		t.Fatalf("far: %s: %v\n%s", line, err, out)
	}
}

// nft adds rules to a hook of the far namespace.
func (f *far) nft(t testing.TB, hook string, rules ...string) {
	t.Helper()
	f.do(func() { nft(t, hook, rules...) })
}

// adopt moves an interface of the test's into the far namespace.
func (f *far) adopt(t *testing.T, link string) {
	t.Helper()
	command(t, fmt.Sprintf("ip link set %s netns %d", link, f.tid))
}

// ipBatch has one process of ip run its commands, one right after the other.
func ipBatch(t *testing.T, lines []string) {
	t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip: %v\n%s", err, out)
	}
}

// accept listens on a TCP port of every far address.
func (f *far) accept(t *testing.T, port int) {
	t.Helper()
	f.do(func() { listen(t, fmt.Sprintf(":%d", port)) })
}

// packetConn opens a socket in the far namespace, until the test ends.
func (f *far) packetConn(t *testing.T, network, address string) net.PacketConn {
	t.Helper()
	var c net.PacketConn
	var err error
	f.do(func() { c, err = net.ListenPacket(network, address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
