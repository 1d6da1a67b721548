package outage_test

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Rounds that are swept at once, or in a second, are learned like others: their silences are seen before they end.
func TestRoundsOfNoTime(t *testing.T) {
	for _, span := range []time.Duration{0, 300 * time.Millisecond, time.Second} {
		w := few(t, 1, 40, 0.5)
		d := outage.New(outage.Config{})
		for i := range int64(600) {
			start := simStart.Add(i * w.every.Milliseconds())
			d.Advance(start)
			if err := d.Put(w.round(probe.Full, start, span, w.aims)); err != nil {
				t.Fatal(err)
			}
		}
		d.Advance(outage.EndOfTime)
		if got := d.Blocks()[0].Expected; got < 18_0000 || got > 22_0000 {
			t.Errorf("over %v: %v hosts are expected of 40 that answer every second time", span, got)
		}
	}
}

// The last moment at which something of a round is seen is known to whoever stores it: from then on it need not be put again.
func TestLastSilence(t *testing.T) {
	w := few(t, 1, 40, 0.99)
	w.every = 5 * time.Second
	d := outage.New(outage.Config{})
	for i := range int64(40) {
		start := simStart.Add(i * w.every.Milliseconds())
		d.Advance(start)
		r := w.round(probe.Full, start, w.every, w.aims)
		if i == 39 {
			r.Passes[0].Answers = nil
		}
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
		if i < 39 {
			continue
		}
		d.Advance(r.Last() + 1)
		before, _ := d.MarshalBinary()
		d.Advance(r.Last().Add(60_000))
		var a, b outage.Detector
		if a.UnmarshalBinary(before) != nil {
			t.Fatal("a snapshot cannot be read")
		}
		after, _ := d.MarshalBinary()
		if b.UnmarshalBinary(after) != nil {
			t.Fatal("a snapshot cannot be read")
		}
		for k := range a.Hosts {
			if a.Hosts[k].SilentAt != b.Hosts[k].SilentAt {
				t.Errorf("%v: its silence of %v is seen after the last moment, %v", a.Hosts[k].Addr, b.Hosts[k].SilentAt, r.Last())
			}
		}
	}
}
