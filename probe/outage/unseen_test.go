package outage_test

import (
	"net/netip"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// What we failed to send to one block makes that block unknown, and no other.
func TestUnsentBlock(t *testing.T) {
	from, to := at(t, noon), at(t, later)
	block := netip.MustParsePrefix("198.18.2.0/24")
	w := newWorld(t, 3).like2014()
	w.down = between(from, to, block.String())
	w.amend = func(r *probe.Round) {
		for i := range r.Passes {
			p := &r.Passes[i]
			for target := range p.Silent() {
				if r.End > from && r.Start < to && block.Contains(p.Targets.Addr(int(target))) {
					p.Unsent = append(p.Unsent, target)
				}
			}
		}
	}
	h, lines := w.run(150)
	sane(t, h, lines)
	if list := h.Outages(true); len(list) > 0 {
		t.Errorf("got\n%s", encode(t, h))
	}
	unknown := map[string]int64{}
	for _, s := range outage.Timeline(h.Changes, h.Until) {
		if s.State == outage.Unknown {
			unknown[s.Block] += int64(s.End - s.Start)
		}
	}
	if fault := int64(to - from); len(unknown) != 1 || unknown[block.String()] < fault || unknown[block.String()] > fault+2*11*60_000 {
		t.Errorf("unknown for %v ms, of a fault of %d", unknown, fault)
	}
}

// The status says unknown, since when and why, while the vantage is bad, and until the next look where a round was not
// seen.
func TestStatusUnseen(t *testing.T) {
	w := newWorld(t, 3).like2014()
	bad := simStart.Add(100*w.every.Milliseconds() + 60_000)
	w.amend = func(r *probe.Round) {
		if r.Start <= bad && bad < r.End {
			r.VantageBad = []probe.Window{{From: int64(bad - r.Start), To: int64(bad-r.Start) + 300_000}}
		}
	}
	d := outage.New(outage.Config{})
	for i := range int64(101) {
		start := simStart.Add(i * w.every.Milliseconds())
		d.Advance(start)
		if err := d.Put(w.round(probe.Full, start, w.every, w.aims)); err != nil {
			t.Fatal(err)
		}
	}
	d.Advance(bad - 1)
	if s := d.Blocks()[0]; s.State != outage.Up {
		t.Errorf("before: %+v", s)
	}
	d.Advance(bad + 200_000)
	if s := d.Blocks()[0]; s.State != outage.Unknown || s.Since != bad || s.Reason != "vantage" {
		t.Errorf("while it lasts: %+v", s)
	}
	d.Advance(bad + 650_000)
	if s := d.Blocks()[0]; s.State != outage.Up || s.Since != bad+300_000 {
		t.Errorf("after: %+v", s)
	}
	if s := d.BlocksAt(bad + 650_000 + probe.Instant(w.every.Milliseconds()*5/2+outage.JudgingLag))[0]; s.State != outage.Up {
		t.Errorf("while the references have yet to vouch: %+v", s)
	}
	if s := d.BlocksAt(bad + 650_000 + 30*60_000)[0]; s.State != outage.Unknown || s.Reason != "gap" {
		t.Errorf("long after: %+v", s)
	}
}

// A space whose few hosts answer so seldom that their silence proves little is not called up for as long as they are silent.
func TestSilenceThatProvesLittleIsNotUp(t *testing.T) {
	for _, seed := range firstSeeds(12, 200, 177) {
		w := few(t, seed, 4+int(seed%5), 0.2+0.05*float64(seed%7))
		from := simStart.Add(3 * day)
		to := from.Add(60 * w.every.Milliseconds())
		w.down = between(from, to)
		h := w.replayed(500, w.every, whole)
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			if up := int64(min(s.End, to) - max(s.Start, from)); s.Block == "space" && s.State == outage.Up && up > 12*w.every.Milliseconds() {
				t.Errorf("seed %d: up for %d min in the dark, until %v", seed, up/minute, s.End)
			}
		}
	}
}
