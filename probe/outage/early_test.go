package outage_test

import "testing"

// What was learned in the first rounds counts from the first verdict on: a partial outage that begins just before or after that is found,
// and is over when all are back.
func TestPartialsOfShortRecordings(t *testing.T) {
	for _, before := range []int64{10, 12, 13} { // rounds
		found, seeds := 0, cases(24, 100)
		for seed := range uint64(seeds) {
			w := few(t, seed, 40, 0.99)
			from := simStart.Add(before*w.every.Milliseconds() - int64(seed%5)*minute)
			to := from.Add(150 * minute)
			w.down = odd(from, to)
			for _, o := range w.replayed(40, w.every, unseeded).Outages(false) {
				if o.End != nil && inside(o.Start, from) && inside(*o.End, to) {
					found++
				}
			}
		}
		t.Logf("after %d rounds:", before)
		nineInTen(t, found, seeds)
	}
}
