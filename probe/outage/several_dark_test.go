package outage_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where several blocks go dark at once, a partial outage of the space names all of them, though the evidence is not complete of all at
// once, or not before that of hosts that left.
func TestSeveralBlocksDark(t *testing.T) {
	want := []netip.Prefix{netip.MustParsePrefix("198.18.1.0/24"), netip.MustParsePrefix("198.18.3.0/24")}
	for name, c := range map[string]struct {
		every, span time.Duration
		told        func(*probe.Round) *probe.Round
	}{
		"swept hourly":       {time.Hour, 30 * time.Second, bare},
		"swept every 5 min":  {5 * time.Minute, 12 * time.Second, unseeded},
		"spread over 11 min": {11 * time.Minute, 11 * time.Minute, bare},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(cases(6, 40)) {
				w := newWorld(t, seed, probe.ICMP)
				w.every = c.every
				for block := range 4 {
					w.beside(block, 10+int(seed+uint64(block))%6, 0.95)
				}
				from := simStart.Add(60*w.every.Milliseconds() + int64(seed)*77_000)
				to := from.Add(10 * w.every.Milliseconds())
				w.down = between(from, to, "198.18.1.0/24", "198.18.3.0/24")
				o := only(t, w.replayed(90, c.span, c.told), outage.Partial)
				if !slices.Equal(o.Dark, want) {
					t.Errorf("seed %d: dark is %v, want %v", seed, o.Dark, want)
				}
				if o.End == nil || !inside(o.Start, from) || !inside(*o.End, to) {
					t.Errorf("seed %d: from %v to %v, want from %v to %v", seed, o.Start, o.End, from, to)
				}
			}
		})
	}
}
