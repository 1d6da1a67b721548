package probe

import (
	"testing"
	"time"
)

// TestOurFirewallKeepsAllAttempts: a sweep asks again what our own firewall keeps back, and awaits each attempt no longer than
// for its timeout, so that the first is forgotten when the last is judged.
func TestOurFirewallKeepsAllAttempts(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	nft(t, "output", "ip daddr 198.18.8.0/25 drop")
	for _, span := range []time.Duration{0, 2 * time.Second} {
		const timeout = 1500 * time.Millisecond
		cfg := SweeperConfig{Timeout: timeout, LateWindow: timeout, Retries: 1}
		all := blameless(t, startFaulty(t, openFaulty(t, cfg), span, routed4))
		for name, got := range all {
			if got[Reply] != 128 || got[Unsent] != 128 {
				t.Errorf("%s over %s: %v", name, span, got)
			}
		}
	}
}
