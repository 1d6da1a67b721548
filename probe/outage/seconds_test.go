package outage_test

import (
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestSeconds: phases count in whole seconds by their most likely moments, and one that lasts up to the moment that is given.
func TestSeconds(t *testing.T) {
	at := func(ms probe.Instant) outage.Interval {
		return outage.Interval{Earliest: ms - 5000, At: ms, Latest: ms + 5000}
	}
	end := func(ms probe.Instant) *outage.Interval { i := at(ms); return &i }
	o := outage.Outage{Phases: []outage.Phase{
		{Kind: outage.Partial, Start: at(0), End: end(10_400)}, {Kind: outage.Total, Start: at(10_400), End: end(71_000)},
		{Kind: outage.Unknown, Start: at(71_000), End: end(72_000)}, {Kind: outage.Partial, Start: at(72_000)},
	}}
	for upTo, want := range map[probe.Instant][3]int{100_000: {61, 38, 1}, 72_000: {61, 10, 1}, 0: {61, 10, 1}} {
		is := [3]int{o.Seconds(outage.Total, upTo), o.Seconds(outage.Partial, upTo), o.Seconds(outage.Unknown, upTo)}
		if is != want {
			t.Errorf("up to %d: total, partial, unknown %v, want %v", upTo, is, want)
		}
	}
}
