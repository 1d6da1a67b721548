package outage

import "brownout/probe"

// seasons is how a host answered in each hour of the day, UTC: many are off at night. Outages are not learned from, and
// so a blackout every night leaves no season behind.
type seasons [24]struct{ N, Life int32 } // of services' rounds, forgotten by 1 in hourMemory, in units of 1/hourUnit

const (
	hourMemory = 64
	hourUnit   = 1 << 10
	hourPrior  = 16 // observations by which an hour is taken to be like all others: those of one night are nearly one
)

func hourOf(t probe.Instant) int { return int(int64(t) / 3600_000 % 24) }

func (s *seasons) learn(t probe.Instant, life bool) {
	h := &s[hourOf(t)]
	h.N += hourUnit - h.N/hourMemory
	h.Life -= h.Life / hourMemory
	if life {
		h.Life += hourUnit
	}
}

// factor is by how much, in millionths, a host answers more in the hour of t than it does all day. It is never below a
// half: no block is expected to answer less than half as much as without seasons, lest a long failure pass for one.
func (s *seasons) factor(t probe.Instant) int64 {
	var n, life int64
	for i := range s {
		n, life = n+int64(s[i].N), life+int64(s[i].Life)
	}
	if life == 0 {
		return million
	}
	mean := life * million / n
	h := &s[hourOf(t)]
	hour := (int64(h.Life)*million + hourPrior*hourUnit*mean) / (int64(h.N) + hourPrior*hourUnit)
	return max(hour*million/mean, million/2)
}
