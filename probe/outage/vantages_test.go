package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where two vantages look, what one of them does not hear for hours, all of it or most, while the other does, is no outage, whether they
// look at once or one after the other, and whatever they tell of when. What neither hears is one, also while one of them is deaf.
func TestOneVantageIsDeaf(t *testing.T) {
	for name, c := range map[string]struct {
		every, span, apart time.Duration
		told               func(*probe.Round) *probe.Round
		hears              float64 // of what it should
	}{
		"spread":                  {11 * time.Minute, 11 * time.Minute, 0, unseeded, 0},
		"spread, one later":       {11 * time.Minute, 11 * time.Minute, 4 * time.Minute, unseeded, 0},
		"spread, bare":            {11 * time.Minute, 11 * time.Minute, 0, bare, 0},
		"spread, bare, one later": {11 * time.Minute, 11 * time.Minute, 4 * time.Minute, bare, 0},
		"swept":                   {5 * time.Minute, 12 * time.Second, 0, unseeded, 0},
		"swept, one later":        {5 * time.Minute, 12 * time.Second, 2 * time.Minute, bare, 0},
		"swept hourly":            {time.Hour, 30 * time.Second, 0, bare, 0},
		"hears less":              {11 * time.Minute, 11 * time.Minute, 0, unseeded, 0.3},
		"hears less, bare, later": {11 * time.Minute, 11 * time.Minute, 4 * time.Minute, bare, 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(cases(4, 24)) {
				w := few(t, seed, 40, 0.95)
				every := c.every.Milliseconds()
				deaf := simStart.Add(60*every + int64(seed)*7_000)
				from := deaf.Add(20 * every)
				to := from.Add(8*every + int64(seed)*77_000)
				w.down = between(from, to)
				var lines []*probe.Round
				for i := range int64(120) {
					for _, second := range []bool{false, true} {
						w.loss = nil
						start := simStart.Add(i * every)
						if second {
							start = start.Add(c.apart.Milliseconds())
							w.loss = func(at probe.Instant, _ netip.Addr) float64 {
								if at >= deaf && at < deaf.Add(40*every) {
									return 1 - c.hears
								}
								return 0
							}
						}
						r := w.round(probe.Full, start, c.span, w.aims)
						if second {
							r.Vantage = "other"
						}
						lines = append(lines, c.told(r))
					}
				}
				h, err := outage.Replay(outage.Config{}, &source{lines})
				if err != nil {
					t.Fatal(err)
				}
				o := only(t, h, outage.Total)
				if o.End == nil || !inside(o.Start, from) || !inside(*o.End, to) {
					t.Errorf("seed %d: from %v to %v, want from %v to %v", seed, o.Start, o.End, from, to)
				}
			}
		})
	}
}
