package probe

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOurFirewall drops on output, from the middle of a sweep on, what goes to every other address.
func TestOurFirewall(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	for _, retries := range []int{0, 1} {
		sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second, Retries: retries, Rate: 300})
		sweeps := startFaulty(t, sweepers, 0, "198.18.8.0/25", "fd00:198:19::/121")
		halfSent(t, sweeps)
		nft(t, "output", "ip daddr & 0.0.0.1 == 0.0.0.1 drop", "ip6 daddr & ::1 == ::1 drop")
		all := blameless(t, sweeps)
		wantSome(t, all, Reply)
		wantSome(t, all, Unsent)
		for p, reason := range map[Protocol]string{ICMP: "EPERM", TCP(80): "kept", DNS: "EPERM"} {
			if got := sweepers[0].Stats().Protocols[p].Local; got[reason] < uint64(all[p.String()][Unsent]) {
				t.Errorf("%s: local failures %v, %d unsent", p, got, all[p.String()][Unsent])
			}
		}
		command(t, "nft delete table inet f")
	}
}

// TestOurFullQueue has the interface's queue overflow: it holds some 40 packets, and 100 a second leave.
func TestOurFullQueue(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	command(t, "tc qdisc replace dev near0 root tbf rate 64kbit burst 2000 limit 3000")
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	// Paced, for an unpaced sweep waits until there is room.
	all := blameless(t, startFaulty(t, sweepers, time.Second/2, "198.18.8.0/26", "fd00:198:19::/122"))
	wantSome(t, all, Unsent)
	command(t, "tc qdisc del dev near0 root")
	all = blameless(t, startFaulty(t, sweepers, 0, "198.18.8.0/26", "fd00:198:19::/122"))
	for name, got := range all {
		if got[Reply] != 128 {
			t.Errorf("%s: with an empty queue again: %v", name, got)
		}
	}
}

// shrink makes the send and receive buffers of a sweeper's sockets as small as the kernel allows: for a packet or two.
func shrink(t *testing.T, s *Sweeper, option int) {
	t.Helper()
	set := func(fd uintptr) {
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, 1); err != nil {
			t.Error(err)
		}
	}
	if err := s.wires[kindICMP].(*icmpWire).v4.fd.Control(set); err != nil {
		t.Error(err)
	}
	if w, ok := s.wires[kindDNS].(*dnsWire); ok {
		if err := w.Need(true, false); err != nil {
			t.Error(err)
		}
		set(uintptr(w.sockets[dnsV4].fd))
	}
}

// TestOurTinySendBuffer has the interface hold our packets back for longer than any timeout, so that a send buffer of a
// packet or two stays full. The sweep must not wait for it.
func TestOurTinySendBuffer(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	command(t, "tc qdisc replace dev near0 root tbf rate 8bit burst 2000 limit 1000000")
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	for _, s := range sweepers {
		shrink(t, s, unix.SO_SNDBUF)
	}
	wantSome(t, blameless(t, startFaulty(t, sweepers, time.Second, routed4)), Unsent)
}

// TestOurTinyReceiveBuffer has batches of answers find room for a packet or two.
func TestOurTinyReceiveBuffer(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	for _, s := range sweepers {
		shrink(t, s, unix.SO_RCVBUF)
	}
	all := blameless(t, startFaulty(t, sweepers, 0, "198.18.8.0/22"))
	wantSome(t, all, Reply)
	blameless(t, startFaulty(t, sweepers, 10*time.Millisecond, "198.18.8.0/22"))
}

// TestOurFewFiles leaves a process 64 descriptors, with thrice as many connections to be tried that nobody answers.
func TestOurFewFiles(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	f.nft(t, "input", "tcp dport 80 ip daddr 198.18.9.0/25 drop")
	limit := unix.Rlimit{Cur: 64, Max: 64}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	sweepers := openFaulty(t, SweeperConfig{Timeout: time.Second})
	var files []*os.File
	for {
		file, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		files = append(files, file)
	}
	for _, file := range files[:8] { // what is left is less than the wire reckons with
		file.Close()
	}
	sweeps := startFaulty(t, sweepers, 0, "198.18.8.0/24", "198.18.9.0/25")
	for i, w := range sweeps {
		<-w.Sent()
		r, _ := w.Round()
		for _, pass := range r.Passes {
			for _, a := range silentOf(pass) {
				if !pass.Protocol.IsTCP() || !strings.HasPrefix(a, "198.18.9.") {
					t.Errorf("%s, sweep %d: %s is counted as silent", pass.Protocol, i, a)
				}
			}
		}
	}
	for _, file := range files[8:] {
		file.Close()
	}
}

// silentOf lists the targets of a pass that are counted as silent.
func silentOf(pass Pass) (silent []string) {
	known := map[int32]bool{}
	for _, i := range pass.Unsent {
		known[i] = true
	}
	for _, a := range pass.Answers {
		known[a.Target] = a.Outcome != Unreachable
	}
	for i := range pass.Targets.Len() {
		if !known[int32(i)] {
			silent = append(silent, pass.Targets.Addr(i).String())
		}
	}
	return silent
}
