package agent

import (
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// rateStrip keeps the lowest response rate of every small part of the timeline.
type rateStrip struct {
	from, to probe.Instant // to 0: a day that moves along
	lowest   []int16       // hundredths; unknownRate: none
}

const (
	rateParts   = 1440
	unknownRate = -1
	day         = 24 * 3600_000
)

// span is the time that the strip covers.
func (s *rateStrip) span() (from, to probe.Instant) {
	if s.to > s.from {
		return s.from, s.to
	}
	return s.from, s.from.Add(day)
}

// add notes the space's rate.
func (s *rateStrip) add(now probe.Instant, b outage.BlockStatus) {
	if s.lowest == nil {
		s.lowest = slices.Repeat([]int16{unknownRate}, rateParts)
		if s.from == 0 {
			s.from = now
		}
	}
	from, to := s.span()
	for s.to <= s.from && now >= to { // move on by an hour
		const parts = rateParts / 24
		s.lowest = append(s.lowest[:0], s.lowest[parts:]...)
		s.lowest = append(s.lowest, slices.Repeat([]int16{unknownRate}, parts)...)
		s.from = s.from.Add(day / 24)
		from, to = s.span()
	}
	i := int(int64(now-from) * rateParts / int64(to-from))
	if i < 0 || i >= rateParts || b.Expected == 0 || b.State == outage.Unknown {
		return
	}
	rate := int16(min(b.ResponseRate/100, 100))
	if s.lowest[i] == unknownRate || rate < s.lowest[i] {
		s.lowest[i] = rate
	}
}

// column is the lowest rate of part k of n, in hundredths, or unknownRate; and the time it covers.
func (s *rateStrip) column(k, n int) (rate int16, from, to probe.Instant) {
	start, end := s.span()
	from = start.Add(int64(end-start) * int64(k) / int64(n))
	to = start.Add(int64(end-start) * int64(k+1) / int64(n))
	rate = unknownRate
	if s.lowest == nil {
		return rate, from, to
	}
	first := min(k*rateParts/n, rateParts-1)
	for _, r := range s.lowest[first:max(first+1, (k+1)*rateParts/n)] {
		if r != unknownRate && (rate == unknownRate || r < rate) {
			rate = r
		}
	}
	return rate, from, to
}
