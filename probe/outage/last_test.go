package outage_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestNothingIsSeenAfterTheLast: a round that was broken off, with late replies to what was sent just before, has nothing more
// to tell after its last moment. Up to there an agent judges it that stops, and who goes on looks no earlier.
func TestNothingIsSeenAfterTheLast(t *testing.T) {
	w := newWorld(t, 4).like2014()
	d := outage.New(outage.Config{})
	for i := range 30 {
		start := simStart.Add(int64(i) * w.every.Milliseconds())
		d.Advance(start)
		if err := d.Put(w.round(probe.Full, start, w.every, w.aims)); err != nil {
			t.Fatal(err)
		}
	}
	start := simStart.Add(30 * w.every.Milliseconds())
	d.Advance(start)
	snapshot, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for pass := range w.aims {
		whole := w.round(probe.Full, start, w.every, w.aims)
		for k := range whole.Passes[pass].Answers {
			r := *whole
			r.Passes = append([]probe.Pass{}, whole.Passes...)
			p := &r.Passes[pass]
			p.Answers = append([]probe.Answer{}, p.Answers...)
			a := &p.Answers[k]
			a.Outcome, a.RTT = probe.Late, probe.QuantiseRTT(3_050_000) // after a timeout of 3 s
			offset := a.Offset
			for i := range r.Passes { // what follows was not sent any more
				p := &r.Passes[i]
				p.Answers = slices.DeleteFunc(slices.Clone(p.Answers), func(b probe.Answer) bool {
					if b.Offset > offset {
						p.Unsent = append(p.Unsent, b.Target)
					}
					return b.Offset > offset
				})
			}
			r.Curtail(r.Start.Add(int64(offset) + 100))
			is := outage.New(outage.Config{})
			if err := is.UnmarshalBinary(snapshot); err != nil {
				t.Fatal(err)
			}
			if err := is.Put(&r); err != nil {
				t.Fatal(err)
			}
			is.Advance(r.Last() + 1)
			before := is.Blocks()
			is.Advance(r.Last() + 60_000)
			if diff := cmp.Diff(before, is.Blocks()); diff != "" {
				t.Errorf("after %v, the last moment of a round of %v that was cut short at %v, something was seen:\n%s", r.Last(), r.Start, r.End, diff)
			}
			lines++
		}
	}
	t.Logf("%d rounds", lines)
}
