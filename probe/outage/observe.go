package outage

import (
	"math"
	"net/netip"
	"slices"

	"brownout/probe"
)

// observe judges one observation.
func (d *Detector) observe(r *probe.Round, e *event) {
	sighted := !unseen(r, e)
	if sighted {
		d.Sighted = e.Seen
	}
	p := r.Passes[e.pass].Protocol
	i, known := d.services[serviceKey{e.addr, p}]
	switch {
	case e.outcome.Life():
		if !known && !d.holds(e.addr) {
			return
		}
		if d.tooFast(i, known, e) {
			d.box(e)
			if r.Kind == probe.Full {
				d.TooFast++
			}
			return
		}
		if !known {
			i = d.meet(e.addr, p, e.Seen)
		}
		d.hear(r, e, i)
		d.live(r, e, i)
	case known && (!sighted || d.deaf(r) || d.heardElsewhere(r, e)):
		h := &d.Hosts[d.Services[i].Host]
		h.VainAt = max(h.VainAt, e.from)
	case known && !d.boxed(e):
		d.still(r, e, i)
	}
}

func (d *Detector) holds(a netip.Addr) bool {
	_, ok := d.space.Index(a)
	return ok
}

func (d *Detector) knownBefore(a netip.Addr, p probe.Protocol, t probe.Instant) bool {
	i, ok := d.services[serviceKey{a, p}]
	return ok && d.Services[i].Known < t
}

// tooFast reports whether a reply came faster than the path allows: somebody nearer answered for the target. A service
// with a history is held against its own, a new one against the fastest there is.
func (d *Detector) tooFast(i int32, known bool, e *event) bool {
	const near, far, history = 50_000, 150_000, learnedRounds // microseconds, microseconds, replies
	if e.rtt == 0 || e.rtt >= near || e.outcome != probe.Reply {
		return false
	}
	if known && d.Services[i].RTTs >= history {
		return d.Services[i].FastRTT > far
	}
	return d.FastRTT > far
}

// box notes a reply that came too fast.
func (d *Detector) box(e *event) {
	const apart = 3600_000 // milliseconds from one appearance to the next
	if e.Seen >= d.MiddleboxAt.Add(apart) {
		d.MiddleboxSince, d.Boxed = e.Seen, nil
	}
	d.MiddleboxAt = e.Seen
	if len(d.Boxed) < mostNamed && !slices.Contains(d.Boxed, e.addr) {
		d.Boxed = append(d.Boxed, e.addr)
	}
}

// boxed reports whether replies from a middlebox came shortly before a silence: where they replace the targets' own, the
// silences left over prove nothing.
func (d *Detector) boxed(e *event) bool {
	const shadow = 60_000 // milliseconds
	return d.MiddleboxAt != 0 && e.from < d.MiddleboxAt.Add(shadow)
}

// meet makes the acquaintance of a service. That it was silent in all rounds so far counts that its block was asked in, or since it came
// into the space, or since hosts last moved: before that the address was somebody else's, or nobody's.
func (d *Detector) meet(a netip.Addr, p probe.Protocol, at probe.Instant) int32 {
	h, ok := d.hosts[a]
	if !ok {
		h = int32(len(d.Hosts))
		b := d.blockOf(a)
		isNew := d.Parts[b].State != Learning && d.sinceAdded(a, at) >= learnedRounds*counted
		d.Hosts = append(d.Hosts, host{Addr: a, Block: b, First: at, New: isNew})
		d.hosts[a] = h
		d.enrol(d.Hosts[h].Block, h)
		d.place(h)
	}
	i := int32(len(d.Services))
	s := service{Host: h, Code: p.Code(), Known: at}
	for k := range d.Protocols {
		if d.Protocols[k].Code == s.Code {
			s.N = min(d.Protocols[k].N, d.sinceMove(at), d.sinceAdded(a, at), int64(d.Parts[d.Hosts[h].Block].Rounds)*counted)
		}
	}
	d.Services = append(d.Services, s)
	d.Hosts[h].Services = append(d.Hosts[h].Services, i)
	d.services[serviceKey{a, p}] = i
	return i
}

// place finds the areas of a host: the space, its block, and the prefixes inside it down to /28.
func (d *Detector) place(h int32) {
	host := &d.Hosts[h]
	host.Areas = []int32{0}
	if host.Block != 0 {
		host.Areas = append(host.Areas, host.Block)
	}
	if !host.Addr.Is4() {
		return
	}
	for bits := d.BlockBits; bits <= smallestDark; bits++ {
		p, _ := host.Addr.Prefix(bits)
		if p == d.Parts[host.Block].Prefix {
			continue
		}
		i, ok := d.areas[p]
		if !ok {
			i = int32(len(d.Areas))
			d.Areas = append(d.Areas, area{Prefix: p})
			d.areas[p] = i
		}
		host.Areas = append(host.Areas, i)
	}
}

// smallestDark is the length of the smallest prefix that is judged dark by itself.
const smallestDark = 28

// live credits life.
func (d *Detector) live(r *probe.Round, e *event, i int32) {
	s := &d.Services[i]
	h := &d.Hosts[s.Host]
	arrived := e.arrived.Add(d.Slack)
	for _, b := range blocksOf(h) {
		d.glimpse(&d.Parts[b], e)
	}
	for _, a := range h.Areas {
		d.Areas[a].lit(e.from, e.to, arrived, d.Slack)
	}
	for _, b := range blocksOf(h) {
		d.Parts[b].byProtocol(s.Code).lit(e.from, e.to, arrived, d.Slack)
	}
	if s.Reliable {
		d.Path.put(d.sample(r, s, e, true, d.odds(s, h, e)))
		d.weigh(e.Seen)
	}
	s.Answers, h.Answers = true, true
	if r.Kind == probe.Full {
		s.Fresh = trialOf(true, h.Silent)
	}
	if e.from >= h.SilentAt {
		if h.Silent {
			h.Back = Interval{Earliest: h.SilentAt, At: e.from, Latest: arrived}
			h.BackBy, h.Left = h.SilentBy, h.Lived
		}
		h.Silent = false
	}
	if e.from >= h.Since {
		h.Since, h.Weight = 0, 0
	}
	h.Lived, h.First = max(h.Lived, e.from), min(h.First, e.Seen)
	if e.outcome == probe.Reply {
		s.clockRTT(e.rtt)
		d.Delay -= d.Delay / 256
		d.Delay = max(d.Delay, int64(e.rtt)-int64(s.FastRTT))
	}
	for _, b := range blocksOf(h) {
		d.belated(&d.Parts[b], h, r, e)
		d.revive(&d.Parts[b], h, s, e)
	}
}

// still weighs a silence.
func (d *Detector) still(r *probe.Round, e *event, i int32) {
	s := &d.Services[i]
	h := &d.Hosts[s.Host]
	s.Answers = false
	h.Answers = d.answersBy(h, nil)
	if r.Kind == probe.Full {
		s.Fresh = trialOf(false, h.Silent)
	}
	if !s.Reliable {
		return
	}
	d.weigh(e.Seen)
	alone := d.odds(s, h, e)
	at := moment(r, e)
	odds := d.Path.with(alone, at)
	own := odds
	if ahead := d.pathAhead(r, e); ahead != &d.Path {
		own = ahead.with(alone, at)
	}
	silent := silence{From: e.from, To: e.to, Host: s.Host, Code: s.Code, Weight: weight(odds), Alone: d.alone(s, h)}
	slack := d.Slack + d.flight(r, s)
	counted, inOutage := false, d.inOutage(h)
	for _, b := range blocksOf(h) {
		a, again := d.Parts[b].byProtocol(s.Code), silent
		if inOutage {
			again.Weight = min(again.Weight, h.stillAway(a.Lived, e.from))
		}
		a.dark(again, slack)
	}
	if d.filtered(h, s.Code) {
		return
	}
	for _, i := range h.Areas {
		a, again := &d.Areas[i], silent
		if int(i) >= len(d.Parts) { // a part of a block may be silent in a burst, a block is so only for a reason
			again.Weight = weight(own)
		}
		if e.from > a.Lived && h.straddles(a.Lived) {
			again.Weight, counted = max(again.Weight, weight(d.Path.with(d.oddsAfterLife(s, h), at))), true
		}
		if inOutage {
			again.Weight = min(again.Weight, h.stillAway(a.Lived, e.from))
		}
		a.dark(again, slack)
	}
	h.Counted = h.Counted || counted
	d.Path.put(d.sample(r, s, e, false, alone))
	d.weigh(e.Seen)
	if e.from >= h.SilentAt {
		h.SilentAt, h.SilentBy = e.from, e.to
	}
	h.Silent, h.Own = true, alone*million/own
	if h.Since == 0 && e.from > h.Lived {
		h.Since, h.SinceBy, h.Counted, h.Company = e.from, e.to, false, 0
	}
	if h.Since != 0 {
		h.Weight += weight(own)
	}
	for _, b := range blocksOf(h) {
		d.doubt(&d.Parts[b], h, e.Seen)
	}
}

// alone is the chance, in millionths, that a service is silent while all is well, given nothing but whether its host had left
// before its block last lived: a round before, for a single silence is mostly a loss. What was learned of how long it stays
// away counts half, for nobody knows how long an outage takes.
func (d *Detector) alone(s *service, h *host) int64 {
	silent := withoutPath(million - s.Expected)
	if h.Since != 0 && h.Since <= d.Areas[h.Block].Lived.Add(-d.MedianGap) {
		silent = min((silent+max(silent, s.silentOn()))/2, mostSilence)
	}
	return silent
}

// filtered reports whether a protocol was certain to be dark in the space or the host's block while others still
// answered: then its silence says nothing of the host.
func (d *Detector) filtered(h *host, code uint32) bool {
	return slices.ContainsFunc(blocksOf(h), func(b int32) bool {
		return d.Parts[b].byProtocol(code).darkBefore(d.Areas[b].Lived)
	})
}

// flight is how long after its sending a probe may still have been on its way to the host, in milliseconds: its round trip,
// and what the slowest of late took beyond theirs.
func (d *Detector) flight(r *probe.Round, s *service) int64 {
	return ((int64(s.FastRTT)+d.Delay)*max(r.Scale, 1) + 999) / 1000
}

// odds is the chance in millionths that the service is silent in this observation though its block is up and the path
// is good, given what it and its host did just before. What was learned holds the usual loss of the path too, which is
// weighed apart.
func (d *Detector) odds(s *service, h *host, e *event) int64 {
	odds := d.oddsAfterLife(s, h)
	if h.Silent {
		since := apart(e.from, h.SilentAt) + int64(e.to-e.from)/2 // where the send time is unknown
		own := max(d.stillSilent(s, since), decay(since, hostBurst))
		odds += h.Own * max(own-odds, 0) / million
	}
	return min(odds, mostSilence)
}

// oddsAfterLife is the chance of silence, in millionths, of a service whose host just lived.
func (d *Detector) oddsAfterLife(s *service, h *host) int64 {
	return million - (million-withoutPath(s.silenceAfterLife()))*h.Season/million
}

// straddles reports whether a host's first silence may have been sent before an area's last life or after it: it told nothing of
// the time since then, so the next one counts as the first.
func (h *host) straddles(lived probe.Instant) bool {
	return h.Since != 0 && h.Since <= lived && lived < h.SinceBy && !h.Counted
}

// inOutage reports whether the space is in an outage, or the host's own block.
func (d *Detector) inOutage(h *host) bool {
	return slices.ContainsFunc(blocksOf(h), func(b int32) bool { return d.Parts[b].Open != nil })
}

// stillAway is how much it weighs that a host is silent at a moment that was silent before an area's last life: as long as it had
// been away then, so long may it stay on (Laplace's rule of succession, of an outage whose length nobody knows). That those who left
// together stay away together is one piece of news, of which it is a share.
func (h *host) stillAway(lived, at probe.Instant) int64 {
	if h.Since == 0 || h.Since >= lived {
		return math.MaxInt64
	}
	before, more := int64(lived-h.Since), max(int64(at-h.SilentAt), 0)
	return weight(before*million/(before+more)) / max(h.Company, 1)
}

// countCompany counts, where there is an outage, with how many hosts each that is silent may have left together: within a round of it.
func (d *Detector) countCompany(at probe.Instant) {
	if !d.anyOutage() {
		return
	}
	var since []probe.Instant
	for i := range d.Hosts {
		if t := d.Hosts[i].Since; t != 0 {
			since = append(since, t)
		}
	}
	slices.Sort(since)
	around := d.turn(&d.Parts[0], at)
	for i := range d.Hosts {
		if h := &d.Hosts[i]; h.Since != 0 {
			first, _ := slices.BinarySearch(since, h.Since.Add(-around))
			h.Company = int64(upTo(since, h.Since.Add(around)) - first)
		}
	}
}

// anyOutage reports whether the space is in an outage, or any block of it.
func (d *Detector) anyOutage() bool {
	for i := range d.Parts {
		if d.Parts[i].Open != nil {
			return true
		}
	}
	return false
}

// withoutPath is a chance of silence, in millionths, less what the path usually takes.
func withoutPath(silence int64) int64 {
	return max((silence-usualLoss)*million/(million-usualLoss), leastSilence)
}

// silentOn is the chance in millionths that a service is silent a round after it was. Of a host that sleeps at night that
// was mostly learned at night: at an hour at which it is awake, its silence is not sleep, and says nothing of how long it lasts.
func (s *service) silentOn() int64 {
	const unknown = million / 2
	asleep := min((million-s.Expected)*million/max(million-s.Mean, 1), million)
	learned := s.silenceAfterSilence()
	return learned - (million-asleep)*max(learned-unknown, 0)/million
}

// stillSilent is the chance in millionths that a service is silent so many milliseconds after its host was. What was
// learned is the chance after a round; sooner, it falls from certainty to that as a chain of two states in continuous time
// does: slowly for a host that sleeps at night, at once for one that answers every other probe.
func (d *Detector) stillSilent(s *service, since int64) int64 {
	after, usual := s.silentOn(), million-s.Mean
	lasting := (after - usual) * million / max(million-usual, 1) // of a silence, after a round
	if lasting <= 0 || since >= d.MedianGap {
		return after
	}
	return usual + (million-usual)*decay(weight(lasting)*since/d.MedianGap, microLn2)/million
}

func (d *Detector) sample(r *probe.Round, s *service, e *event, life bool, odds int64) sample {
	out := sample{From: moment(r, e), Spread: int64(e.to - e.from), Host: s.Host, Code: s.Code, Odds: int32(odds), Life: life, Late: life && e.belated}
	if e.untold {
		out.Until, out.Quick = r.End, int64(r.End-r.Start) <= quickSweep
	}
	if out.Code == probe.ICMP.Code() {
		out.Pace = d.pace(&d.Hosts[s.Host], out.From)
	}
	return out
}

// moment is when a probe was sent or, where only its round's bounds are known, where it would stand if they were sent in
// order: many probes in minutes are not one burst.
func moment(r *probe.Round, e *event) probe.Instant {
	spread := int64(e.to - e.from)
	if spread <= probe.PlanTolerance.Milliseconds() {
		return e.from
	}
	return e.from.Add(spread * int64(e.target) / int64(r.Passes[e.pass].Targets.Len()))
}

// weigh takes in what was sent so long before that all of it has been seen.
func (d *Detector) weigh(seen probe.Instant) {
	n := 0
	for ; n < len(d.Path.Waiting) && d.ripe(&d.Path.Waiting[n]) <= seen; n++ {
		s := &d.Path.Waiting[n]
		d.Path.take(s)
		for _, b := range blocksOf(&d.Hosts[s.Host]) {
			d.Parts[b].Loss.weigh(s)
		}
	}
	d.Path.Waiting = slices.Delete(d.Path.Waiting, 0, n)
}

// ripe is when all that was sent before a sample has been seen. Of a round that does not tell when it asked those who were
// silent that is its end: else all its life would be weighed before all its silence.
func (d *Detector) ripe(s *sample) probe.Instant {
	if s.Until != 0 {
		return s.Until.Add(d.TimeoutMS + 1)
	}
	return s.From.Add(d.TimeoutMS + probe.PlanTolerance.Milliseconds())
}

func apart(a, b probe.Instant) int64 { return max(int64(a-b), int64(b-a)) }

// blocksOf is the space and the host's own block.
func blocksOf(h *host) []int32 { return h.Areas[:1+min(1, int(h.Block))] }

// answersBy reports whether the host answers by a protocol that is not among those left out.
func (d *Detector) answersBy(h *host, leftOut []uint32) bool {
	return slices.ContainsFunc(h.Services, func(i int32) bool {
		s := &d.Services[i]
		return s.Answers && !slices.Contains(leftOut, s.Code)
	})
}

// unseen reports whether a probe fell into a time in which our own sight was bad.
func unseen(r *probe.Round, e *event) bool {
	return slices.ContainsFunc(badWindows(r), func(w probe.Window) bool {
		return e.from < r.Start.Add(w.To) && e.to >= r.Start.Add(w.From)
	})
}
