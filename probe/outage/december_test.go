package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestP9December plays the days of December 2014: flapping of the attacked /24 for hours, then two total outages; and that of the
// 27th, which nothing announced.
func TestP9December(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		attacked := netip.MustParsePrefix("198.18.0.0/24")
		day := func(s string) probe.Instant { return at(t, "2014-12-2"+s+"Z") }
		first, quiet := day("1T18:00:00"), day("2T15:45:00")
		total := between(day("2T16:15:00"), day("3T01:46:00"))
		blip := between(day("3T07:57:00"), day("3T08:00:00"))
		second := between(day("3T15:41:00"), day("3T16:12:00"))
		third := between(day("7T10:30:00"), day("7T12:33:00"))
		w.down = func(x probe.Instant, a netip.Addr, p probe.Protocol) bool {
			return total(x, a, p) || blip(x, a, p) || second(x, a, p) || third(x, a, p)
		}
		w.loss = func(x probe.Instant, a netip.Addr) float64 {
			flap := int64(x/60_000) % 37 // of 1 to 8 minutes, every 37
			if x >= first && x < quiet && flap < 1+int64(x/60_000)/37%8 && attacked.Contains(a) {
				return 0.7
			}
			return 0.01
		}
		n, want := 360, 2
		if w.core == 0 { // with core passes, four more days take long
			n, want = 900, 3
		}
		h, lines := w.run(n)
		sane(t, h, lines)
		var totals []outage.Outage
		told := 0 // what a reader would be notified of before the first total
		for _, o := range h.Outages(false) {
			if o.Kind == outage.Total && o.End.At-o.Start.At > probe.Instant(10*time.Minute.Milliseconds()) {
				totals = append(totals, o)
			} else if o.Kind == outage.Total && (o.Start.At < day("3T07:50:00") || o.Start.At > day("3T08:05:00")) {
				t.Errorf("flapping is taken for total: %s", o.ID)
			}
			if o.Start.At < day("2T16:10:00") && o.UnstableFor == 0 {
				told++
			}
		}
		if told > 3 {
			t.Errorf("%d outages before the first total stand alone", told)
		}
		if len(totals) != want {
			t.Fatalf("want %d totals, got\n%s", want, encode(t, h))
		}
		holds(t, "first start", totals[0].Start, day("2T16:15:00"))
		holds(t, "first end", *totals[0].End, day("3T01:46:00"))
		holds(t, "second start", totals[1].Start, day("3T15:41:00"))
		holds(t, "second end", *totals[1].End, day("3T16:12:00"))
		if want > 2 {
			holds(t, "third start", totals[2].Start, day("7T10:30:00"))
			if totals[2].UnstableFor != 0 {
				t.Errorf("27 December comes unannounced, but is called unstable for %d s", totals[2].UnstableFor)
			}
		}
	})
}
