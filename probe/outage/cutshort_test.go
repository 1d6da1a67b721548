package outage_test

import (
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestCutShort: a round that is broken off soon after it began, within an outage, is no sign of a fault of ours. What was
// asked last was silent too short a time before its end to tell, and that is not as if nobody had been asked.
func TestCutShort(t *testing.T) {
	w := newWorld(t, 4).like2014()
	from := simStart.Add(140*w.every.Milliseconds() + 200_000)
	w.down = between(from, outage.EndOfTime)
	_, lines := w.run(142)
	d := outage.New(outage.Config{})
	for _, r := range lines {
		d.Advance(r.Start)
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	next := simStart.Add(142 * w.every.Milliseconds())
	d.Advance(next)
	snapshot, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		seconds := i % 20
		d := outage.New(outage.Config{})
		if err := d.UnmarshalBinary(snapshot); err != nil {
			t.Fatal(err)
		}
		r := w.round(probe.Full, next, w.every, w.aims)
		r.End = next.Add(int64(seconds) * 1000)
		r.Curtail(r.End)
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
		f := d.Advance(r.Last() + 1)
		for _, c := range f.Changes {
			if c.State == outage.Unknown {
				t.Errorf("cut short after %d s: %s is unknown from %v on: %s", seconds, c.Block, c.Since, c.Reason)
			}
		}
		if whole := d.Blocks()[0]; whole.State != outage.Total {
			t.Errorf("cut short after %d s: the space is %v", seconds, whole.State)
		}
	}
}

// TestGapBeforeAnyRoundEnded: where every round so far was broken off, and then there is a gap, nothing is known since the
// first of them began, and not since the beginning of time.
func TestGapBeforeAnyRoundEnded(t *testing.T) {
	w := newWorld(t, 4).like2014()
	d := outage.New(outage.Config{})
	for _, minutes := range []int64{0, 11, 22, 120} {
		start := simStart.Add(minutes * 60_000)
		if err := d.Put(w.round(probe.Full, start, w.every, w.aims)); err != nil {
			t.Fatal(err)
		}
		f := d.Advance(start + 1)
		for _, c := range f.Changes {
			if c.Since < simStart {
				t.Errorf("%s is %v since %v", c.Block, c.State, c.Since)
			}
		}
		snapshot, err := d.MarshalBinary() // the agent ends here
		if err != nil {
			t.Fatal(err)
		}
		d = outage.New(outage.Config{})
		if err := d.UnmarshalBinary(snapshot); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range d.Blocks() {
		if b.State != outage.Unknown || b.Since != simStart {
			t.Errorf("%s is %v since %v", b.Block, b.State, b.Since)
		}
	}
}
