package outage_test

import (
	"math/rand/v2"
	"testing"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// TestP3Faults has a thousand failures of our own side, of a second to three hours: the link is cut, sends fail, for one
// block or all, or we are stopped, asleep or restarted. None is an outage; what is unknown is so no longer than the fault and
// two rounds.
func TestP3Faults(t *testing.T) {
	const each, round = 40, 11 * minute
	faults := 0
	for seed := range uint64(cases(2, 25)) {
		m := lab.Reference(seed)
		rng := rand.New(rand.NewPCG(seed, 13))
		at := m.Start.Add(day)
		for i := range each {
			length := int64(1000) << rng.IntN(14) // to 2.3 h
			length += rng.Int64N(length)
			e := lab.Event{From: at, To: at.Add(length), Effect: []lab.Effect{lab.CutsUsOff, lab.BlocksSends, lab.StopsUs}[i%3]}
			m.Events = append(m.Events, e)
			at = at.Add(length + 4*hour + rng.Int64N(8*hour))
		}
		faults += each
		s := lab.NewSimulation(m, seed)
		h := watch(t, s, elevenMinutes, int64(at-m.Start), func(f outage.Findings) {
			for _, o := range f.Outages {
				if o.Status == outage.Ended && (len(o.Dark) == 0 || s.SilentFor(o.Start.Earliest, o.End.Latest, o.Dark) < 90_000) {
					t.Errorf("seed %d: %s %v until %v, dark %v, rate %v", seed, o.ID, o.Kind, o.End.At, o.Dark, o.ResponseRate)
				}
			}
		})
		for _, is := range outage.Timeline(h.Changes, h.Until) {
			if is.State == outage.Unknown && int64(is.End-is.Start) > longestExcuse(m.Events, is)+2*round {
				t.Errorf("seed %d: %s is unknown from %v to %v", seed, is.Block, is.Start, is.End)
			}
		}
	}
	t.Logf("%d faults", faults)
}

// longestExcuse is how long the faults lasted that a stretch of unknown overlaps, but for a round.
func longestExcuse(faults []lab.Event, is outage.Stretch) (ms int64) {
	const slack = probe.Instant(11 * minute)
	for _, e := range faults {
		if e.From < is.End+slack && e.To > is.Start-slack {
			ms += int64(e.To - e.From)
		}
	}
	return ms
}
