package outage

import (
	"math"
	"net/netip"
	"slices"

	"brownout/probe"
)

// load is how fast a line sends ICMP probes into each /24: what rate limits go by.
type load struct {
	From, To probe.Instant
	Rates    []loadOf
}

type loadOf struct {
	Prefix netip.Prefix
	Rate   int64 // thousandths of probes a second
}

// burden notes what a line sends, and forgets what was sent long ago.
func (d *Detector) burden(r *probe.Round) {
	d.Loads = slices.DeleteFunc(d.Loads, func(l load) bool { return l.To.Add(2*d.MedianGap) < r.Start })
	k := slices.IndexFunc(r.Passes, func(p probe.Pass) bool { return p.Protocol.IsICMP() })
	if k < 0 {
		return
	}
	lasts := r.Span.Milliseconds() // not to its end: that is not known yet while it is under way
	if lasts == 0 {
		lasts = max(1, int64(r.End-r.Start))
	}
	l := load{From: r.Start, To: r.Start.Add(lasts)}
	for _, g := range r.Passes[k].Targets.Groups(limitedBits) {
		l.Rates = append(l.Rates, loadOf{g.Prefix, int64(g.To-g.From) * million / lasts})
	}
	d.Loads = append(d.Loads, l)
}

// limitedBits is the prefix that a rate limit is taken to be of (Guo & Heidemann, PAM 2018).
const limitedBits = 24

// pace is how fast ICMP probes were sent into a host's /24 at t, in thousandths a second.
func (d *Detector) pace(h *host, t probe.Instant) int64 {
	p, err := h.Addr.Prefix(limitedBits)
	if err != nil {
		return 0
	}
	sum := int64(0)
	for i := range d.Loads {
		if l := &d.Loads[i]; l.From <= t && t < l.To {
			if k, ok := slices.BinarySearchFunc(l.Rates, p, func(l loadOf, p netip.Prefix) int { return l.Prefix.Compare(p) }); ok {
				sum += l.Rates[k].Rate
			}
		}
	}
	return sum
}

// explainLoss finds what explains a block's loss without an outage: that one protocol alone suffers it while the others
// answer as ever, or that the loss rises with the rate at which we ask. It is the condition, and the protocol; "" where
// neither does.
func (d *Detector) explainLoss(b *block) (Condition, uint32) {
	for i := range d.Protocols {
		if code := d.Protocols[i].Code; d.onlySuffers(b, code) {
			return d.kindOfLoss(b, code), code
		}
	}
	if icmp := probe.ICMP.Code(); b.Loss.limited(icmp) && d.exodus(b, icmp).Odds < certain {
		return RateLimited, icmp
	}
	return "", 0
}

// explainsDark reports whether a prefix is dark for no other reason than that protocols are filtered or limited, in it as
// outside of it.
func (d *Detector) explainsDark(b *block, p netip.Prefix) bool {
	leftOut := slices.Clone(b.Filtered)
	for i := range d.Protocols {
		code := d.Protocols[i].Code
		outside := func(s *sample) bool { return s.Code == code && !p.Contains(d.Hosts[s.Host].Addr) }
		if b.Loss.odds(outside) >= certain && d.onlySuffers(b, code) {
			leftOut = append(leftOut, code)
		}
	}
	return len(leftOut) > 0 && !d.darkWithout(p, leftOut)
}

// kindOfLoss tells a limit on echo replies from a filter.
func (d *Detector) kindOfLoss(b *block, code uint32) Condition {
	if code == probe.ICMP.Code() && b.byProtocol(code).Weight < certain {
		return RateLimited
	}
	return Filtering
}

// onlySuffers reports whether one protocol alone speaks against "up": since it began to lose, the others, if there are
// enough of them to say so, favour "up", and what they say is not decisive against it.
func (d *Detector) onlySuffers(b *block, code uint32) bool {
	switch n := d.hostsWithout(b, []uint32{code}); {
	case n >= usualForPartial:
		others := func(s *sample) bool { return s.Code != code }
		return d.exodus(b, code).Odds < certain && b.Loss.odds(others) < enough && !b.Loss.othersLose(code)
	case n >= usualForDark:
		return d.rate(b, []uint32{code}) > lessThanUsual
	}
	return false
}

// begin is since when a protocol has lost more than it did.
func (t *lossTest) begin(code uint32) probe.Instant {
	own := slices.DeleteFunc(slices.Clone(t.Recent), func(s sample) bool { return s.Code != code })
	in, _ := change(own, fractions[2], -1)
	return in.Earliest
}

// othersLose reports whether all that was sent by other protocols, since one began to lose, favours some fraction over "up".
func (t *lossTest) othersLose(code uint32) bool {
	since := t.begin(code)
	return t.tally(math.MinInt64, func(s *sample) bool { return s.Code != code && s.From >= since }) > 0
}

// odds is what the samples which belong say, by themselves, for any fraction over "up", in micro-nats.
func (t *lossTest) odds(belongs func(*sample) bool) int64 { return t.tally(0, belongs) }

// tally is the sum, of the fraction whose is highest, of what the samples which belong say; no sum falls below the floor.
func (t *lossTest) tally(floor int64, belongs func(*sample) bool) int64 {
	var alone path
	var sums [len(fractions)]int64
	for i := range t.Recent {
		s := t.Recent[i]
		if !belongs(&s) {
			continue
		}
		alone.take(&s)
		for k, f := range fractions {
			sums[k] = max(floor, sums[k]+s.against(f))
		}
	}
	return slices.Max(sums[:])
}

// limited reports whether a limit on the replies a second explains the loss of a protocol since it began better, by
// 1,000:1, than a loss that is the same at every pace (after Guo & Heidemann, PAM 2018).
func (t *lossTest) limited(code uint32) bool {
	since := t.begin(code)
	samples := slices.DeleteFunc(slices.Clone(t.Recent), func(s sample) bool {
		return s.Code != code || s.From < since || s.Pace == 0
	})
	even, limit := int64(1)<<62, int64(1)<<62
	for f := int64(20_000); f <= million; f += 20_000 {
		even = min(even, cost(samples, func(*sample) int64 { return f }))
	}
	for rate := int64(10); rate <= 100_000; rate += rate/8 + 1 {
		limit = min(limit, cost(samples, func(s *sample) int64 { return min(million, rate*million/s.Pace) }))
	}
	return even-limit >= certain
}

// cost is what samples weigh against a share, in millionths, of the usual life that gets through to each.
func cost(samples []sample, through func(*sample) int64) (sum int64) {
	for i := range samples {
		s := &samples[i]
		lives := through(s) * (million - int64(s.Odds)) / million
		if s.Life {
			sum += weight(lives)
		} else {
			sum += weight(million - lives)
		}
	}
	return sum
}
