package outage

import (
	"cmp"
	"slices"

	"brownout/probe"
)

// lossTest weighs "up" against "only a fraction of what should answer does", for several fractions at once: Page's CUSUM
// over the observations of a block, each weighed given what its host and the path did before. Observations are weighed in
// the order in which they were sent, for a reply is seen sooner than a silence.
type lossTest struct {
	Losses []cusum // of each of fractions over "up"; nil: nothing was weighed
	Recent []sample
	Since  probe.Instant // what was sent until then has been judged
	Back   []cusum       // for each of fractions, the other way round: of "up" over it, since an outage opened
}

// cusum is Page's test of one change: the odds for it, in micro-nats, since the moment that is the likeliest for it.
type cusum struct {
	Odds  int64
	Since probe.Instant // the first that was sent after the likeliest moment
	Sure  probe.Instant // a change later is 1,000 times less likely than then; 0: that cannot be said yet

	Sweep    probe.Instant // the end of the quick sweep that is weighed
	Net, Low int64         // micro-nats of that sweep so far, and the lowest that it was

	Fall         int64         // micro-nats against the change since Mark
	Mark, Before probe.Instant // a change at Before or earlier is 1,000 times less likely than the likeliest
}

// weigh adds what was sent at a moment, and how much it speaks for the change, in micro-nats.
func (c *cusum) weigh(at probe.Instant, news int64) {
	if c.Mark == 0 {
		c.Mark, c.Before = at, at
	}
	if c.Odds == 0 {
		c.Since, c.Sure = at, 0
		if c.Fall >= certain {
			c.Before, c.Mark, c.Fall = c.Mark, at, 0
		}
	}
	c.Fall -= news
	c.Odds = min(max(0, c.Odds+news), 2*decisive) // no more, lest it takes long to fall again
	if c.Sure == 0 && c.Odds >= certain {
		c.Sure = at
	}
}

// mostOfSweep bounds what the loss in a sweep of seconds counts that does not tell when it asked those who were silent: a burst may have
// taken a good part of it, so all of it is one piece of news.
var mostOfSweep = enough / 4

// newsOf is what a sample adds to the odds, in micro-nats, within such a bound.
func (c *cusum) newsOf(s *sample, news int64) int64 {
	if !s.Quick {
		return news
	}
	if s.From > c.Sweep { // of lines that overlap, what was sent in one is of one burst
		c.Sweep, c.Net, c.Low = s.Until, 0, 0
	}
	before := min(c.Net, c.Low+mostOfSweep)
	c.Net += news
	c.Low = min(c.Low, c.Net)
	return min(c.Net, c.Low+mostOfSweep) - before
}

// fractions are the alternatives, in millionths of the usual life.
var fractions = [...]int64{800_000, 600_000, 400_000, 200_000, 50_000}

const longestLoss = 256

// silence is the chance, in millionths, that the sample is silent while up.
func (s *sample) silence() int64 {
	return million - (million-int64(s.Odds))*(million-int64(s.Path))/million
}

// against is what a sample adds to the odds of a fraction over "up", in micro-nats.
func (s *sample) against(fraction int64) int64 {
	if s.Life {
		return weight(million-int64(s.Path)) - weight(fraction)
	}
	return weight(s.silence()) - weight(million-fraction*(million-int64(s.Odds))/million)
}

// weigh takes in the next sample in order of sending.
func (t *lossTest) weigh(s *sample) {
	if s.From <= t.Since {
		return
	}
	if t.Losses == nil {
		t.Losses = make([]cusum, len(fractions))
	}
	if t.Back == nil {
		t.Back = make([]cusum, len(fractions))
	}
	was := t.silenceOf(s)
	for i, f := range fractions {
		against := s.against(f)
		if was != nil {
			against -= was.against(f)
		}
		t.Losses[i].weigh(s.From, t.Losses[i].newsOf(s, against))
		t.Back[i].weigh(s.From, -against)
	}
	if was != nil {
		*was = *s
		return
	}
	if len(t.Recent) == longestLoss {
		t.Recent = slices.Delete(t.Recent, 0, longestLoss/2)
	}
	t.Recent = append(t.Recent, *s)
}

// silenceOf is the silence that a late reply was before it came; nil where it was none, or it is not kept any more.
func (t *lossTest) silenceOf(s *sample) *sample {
	for i := len(t.Recent) - 1; s.Late && i >= 0; i-- {
		if was := &t.Recent[i]; was.Host == s.Host && was.Code == s.Code && was.From <= s.From {
			if was.Life {
				break
			}
			return was
		}
	}
	return nil
}

// reset starts the sums anew, with what was sent after a moment.
func (t *lossTest) reset(since probe.Instant) {
	t.Losses, t.Back, t.Since = nil, nil, since
}

// worst is the likeliest fraction and its odds over "up" in micro-nats.
func (t *lossTest) worst() (fraction, odds int64) {
	fraction = fractions[0]
	for i := range t.Losses {
		if sum := t.Losses[i].Odds; sum > odds {
			fraction, odds = fractions[i], sum
		}
	}
	return fraction, odds
}

// testOf is a fraction's of the tests of all; nil where nothing was weighed.
func testOf(all []cusum, fraction int64) *cusum {
	k := slices.Index(fractions[:], fraction)
	if k < 0 || all == nil {
		return nil
	}
	return &all[k]
}

// onset bounds the moment from which the fraction explains the samples better than "up" does.
func (t *lossTest) onset(fraction int64) Interval {
	in, _ := change(t.Recent, fraction, -1)
	if c := testOf(t.Losses, fraction); c != nil && c.Odds > 0 && c.Since < in.Earliest { // it began before the samples that are kept
		in = Interval{Earliest: min(c.Before, c.Since), At: c.Since, Latest: max(cmp.Or(c.Sure, in.Latest), c.Since)}
	}
	return in
}

// recoveryOfLate is recovery by what was sent of late alone.
func (t *lossTest) recoveryOfLate(fraction int64, start probe.Instant) (Interval, int64) {
	i := 0
	for i < len(t.Recent) && t.Recent[i].From < start {
		i++
	}
	return change(t.Recent[i:], fraction, 1)
}

// recovery bounds the moment after a start from which "up" does again, and gives the odds since, in micro-nats.
func (t *lossTest) recovery(fraction int64, start probe.Instant) (Interval, int64) {
	in, odds := t.recoveryOfLate(fraction, start)
	if b := testOf(t.Back, fraction); b != nil && b.Odds > odds && b.Since >= start {
		odds = b.Odds // it takes more samples to see than are kept
		if b.Since < in.At {
			in.Earliest, in.At = min(in.Earliest, max(b.Before, start)), b.Since
		}
	}
	return in, odds
}

// change is the maximum-likelihood change point, with the range of those that are at most 1,000 times less likely
// (Hinkley, Biometrika 1970), and the odds for the change in micro-nats.
func change(samples []sample, fraction, sign int64) (in Interval, odds int64) {
	if len(samples) == 0 {
		return Interval{}, 0
	}
	sums := make([]int64, len(samples)+1) // sums[i]: for a change before sample i
	best := 0
	for i := range samples {
		sums[i+1] = sums[i] + sign*samples[i].against(fraction)
		if sums[i+1] > sums[best] {
			best = i + 1
		}
	}
	first, last := best, best
	for first > 0 && sums[first-1] >= sums[best]-certain {
		first--
	}
	for last < len(samples) && sums[last+1] >= sums[best]-certain {
		last++
	}
	of := func(i int) *sample { return &samples[min(max(i, 0), len(samples)-1)] }
	before, after := of(best-1).From, of(best).From
	in = Interval{Earliest: of(first - 1).From.Add(-of(first - 1).Spread), At: before + (after-before)/2, Latest: of(last).From.Add(of(last).Spread)}
	in.Earliest, in.Latest = min(in.Earliest, in.At), max(in.Latest, in.At) // a late reply is out of order
	return in, sums[best] - sums[len(samples)]
}
