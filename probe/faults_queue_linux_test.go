package probe

import (
	"testing"
	"time"
)

// heldOrAlive waits for sweeps of both wires of ICMP and all others, and wants those to be unsent that a queue of ours keeps.
func heldOrAlive(t *testing.T, sweepers []*Sweeper, targets ...string) {
	t.Helper()
	all := blameless(t, startFaulty(t, sweepers, 2*time.Second, targets...))
	wantSome(t, all, Reply)
	wantSome(t, all, Unsent)
}

// TestOneOfOurQueuesIsStuck: of two queues of our interface one does not move, and answers to what went by the other say nothing
// of that.
func TestOneOfOurQueuesIsStuck(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	command(t, "tc qdisc replace dev near0 root handle 1: htb default 20")
	command(t, "tc class add dev near0 parent 1: classid 1:10 htb rate 8bit burst 2000 cburst 2000")
	command(t, "tc class add dev near0 parent 1: classid 1:20 htb rate 1gbit")
	nft(t, "output", "ip daddr 198.18.8.0/25 meta priority set 1:10")
	heldOrAlive(t, openFaulty(t, SweeperConfig{Timeout: 1200 * time.Millisecond}), routed4)
}

// TestAQueueOfAnotherInterfaceIsStuck: a small part of the space is behind another interface, whose queue does not move.
func TestAQueueOfAnotherInterfaceIsStuck(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	command(t, "ip link add near1 type veth peer name far1")
	f.adopt(t, "far1")
	command(t, "ip addr add 198.19.1.1/24 dev near1")
	command(t, "ip link set near1 up")
	f.command(t, "ip addr add 198.19.1.2/24 dev far1")
	f.command(t, "ip link set far1 up")
	command(t, "ip route replace 198.18.9.0/29 via 198.19.1.2")
	f.command(t, "ip link set far1 address 02:00:00:00:00:09")
	command(t, "ip neigh replace 198.19.1.2 lladdr 02:00:00:00:00:09 nud permanent dev near1")
	command(t, "tc qdisc replace dev near1 root tbf rate 8bit burst 1600 limit 1000000")
	heldOrAlive(t, openFaulty(t, SweeperConfig{Timeout: 1200 * time.Millisecond}), routed4, "198.18.9.0/29")
}

// TestOurQueueKeepsWhatAsksForNeighbours: a target on our link is not asked who it is while our own queue does not move.
func TestOurQueueKeepsWhatAsksForNeighbours(t *testing.T) {
	// Not beside others: all namespaces share the kernel's table of neighbours.
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	command(t, "tc qdisc replace dev near0 root tbf rate 8bit burst 2000 limit 1000000")
	wantSome(t, blameless(t, startFaulty(t, openFaulty(t, SweeperConfig{Timeout: 1200 * time.Millisecond}), 2*time.Second, "198.19.16.0/26")), Unsent)
}

// TestOurQueueStopsForAWhile has our interface send nothing for longer than a filter behind our sockets is waited for: an unpaced
// sweep goes on when it sends again.
func TestOurQueueStopsForAWhile(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	limit := func(rate string) {
		command(t, "tc qdisc replace dev near0 root tbf rate "+rate+" burst 2000 limit 3000")
	}
	limit("200kbit")
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})[1:] // by ICMP alone
	sweeps := startFaulty(t, sweepers, 0, "198.18.8.0/22")
	eventually(t, "some are sent", func() bool { sent, _, _ := sweeps[0].Progress(); return sent > 100 })
	limit("8bit")
	time.Sleep(vainLimit + 4*time.Second)
	limit("10mbit")
	<-sweeps[0].Sent()
	r, _ := sweeps[0].Round()
	if got := outcomes(r.Passes[0]); got[Reply] < 768 {
		t.Errorf("%v of 1024", got)
	}
}
