package outage_test

import (
	"net/netip"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// A detector that learned anew may find that a block flapped of late, of which nothing was told.
func TestCarryOnFromUntoldFlapping(t *testing.T) {
	w := few(t, 1, 40, 0.99)
	round := w.every.Milliseconds()
	w.down = func(at probe.Instant, _ netip.Addr, _ probe.Protocol) bool {
		i := int64(at-simStart) / round
		return i > 40 && i < 60 && i%6 < 2
	}
	c := outage.Carrier{Detector: outage.New(outage.Config{}), Said: func(string) ([]outage.Change, error) { return nil, nil }}
	for i := range int64(64) {
		start := simStart.Add(i * round)
		c.Advance(start)
		if err := c.Detector.Put(w.round(probe.Full, start, w.every, w.aims)); err != nil {
			t.Fatal(err)
		}
	}
	c.Cursor = simStart.Add(64*round + 10_000)
	c.Advance(c.Cursor)
	if err := c.CarryOn(); err != nil {
		t.Fatal(err)
	}
	if b := c.Detector.Blocks()[0]; b.State != outage.Up || len(b.Conditions) > 0 {
		t.Errorf("the space is %v, with %v", b.State, b.Conditions)
	}
}
