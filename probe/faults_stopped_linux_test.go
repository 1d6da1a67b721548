package probe

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// TestOurProcessIsStopped stops this very process, for longer than the timeout, while the answers come: they wait in the
// kernel, and are no later for being read late. Of the silent nothing is known, for it could have been all of this machine.
func TestOurProcessIsStopped(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openFar(t)
	f.accept(t, 80)
	// It lets the answers out over some 400 ms. Its socket holds them all.
	f.command(t, "tc qdisc replace dev far0 root tbf rate 300kbit burst 2000 limit 1000000")
	f.nft(t, "input", "ip daddr 198.18.9.0/28 drop")
	space := testSpace(t, "198.18.8.0/27", "198.18.9.0/28")
	var sweeps []*Sweep
	// No program answers at port 81 nor by DNS: there every address refuses.
	for _, c := range []struct {
		mode      ICMPMode
		protocols []Protocol
	}{{ICMPRaw, []Protocol{ICMP, TCP(80), TCP(81), DNS}}, {ICMPDatagram, []Protocol{ICMP}}} {
		var aims []Aim
		for _, p := range c.protocols {
			aims = append(aims, Aim{p, space})
		}
		s := openTest(t, SweeperConfig{ICMP: c.mode, Timeout: time.Second}, c.protocols...)
		w, err := s.Start(context.Background(), Order{Space: space, Aims: aims, Span: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		sweeps = append(sweeps, w)
	}
	for _, w := range sweeps {
		eventually(t, "all is sent", func() bool {
			sent, planned, _ := w.Progress()
			return sent == planned
		})
	}
	stop := exec.Command("sh", "-c", "kill -STOP $0; sleep 3; kill -CONT $0", strconv.Itoa(os.Getpid()))
	if out, err := stop.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, got := range blameless(t, sweeps) {
		if got[Reply]+got[Refused] != 32 || got[Unsent] != 16 {
			t.Errorf("%s: %v", name, got)
		}
	}
}
