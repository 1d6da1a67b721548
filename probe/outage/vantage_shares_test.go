package outage_test

import (
	"fmt"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where each vantage asks a part of the space of its own, that one hears nobody while the others hear theirs does not make it deaf: its part
// is dark.
func TestVantagesOfPartsOfTheSpace(t *testing.T) {
	for name, told := range map[string]func(*probe.Round) *probe.Round{"told": unseeded, "bare": bare} {
		for seed := range uint64(cases(3, 20)) {
			w := few(t, seed, 6, 0.7)
			for third := range 3 {
				w.beside(third+1, 6, 0.7)
			}
			every := w.every.Milliseconds()
			from := simStart.Add(100*every + int64(seed)*77_000)
			to := from.Add(8 * every)
			w.down = between(from, to, "198.18.2.0/24")
			var lines []*probe.Round
			for i := range int64(160) {
				for k := range 4 {
					r := w.round(probe.Full, simStart.Add(i*every), 11*time.Minute, []probe.Aim{{Protocol: w.aims[0].Protocol, Targets: w.third(k)}})
					r.Vantage = fmt.Sprintf("v%d", k)
					lines = append(lines, told(r))
				}
			}
			h, err := outage.Replay(outage.Config{}, &source{lines})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, o := range h.Outages(true) {
				found = found || o.Block == "198.18.2.0/24" && o.Kind == outage.Total
			}
			if !found {
				t.Errorf("%s, seed %d: no total outage of the dark /24", name, seed)
			}
		}
	}
}
