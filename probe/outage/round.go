package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// begin judges that a line begins.
func (d *Detector) begin(r *probe.Round) {
	d.Unverified, d.TimeoutMS = r.Unverified, r.TimeoutMS()
	if d.space.Len() == 0 || r.Kind == probe.Full && !r.Space.Equal(d.space) {
		d.respace(r.Space, r.Start)
		d.Asked = nil
	}
	d.stayBlind(r.Start)
	d.settleIn(r.Vantage, r.Start)
	d.burden(r)
	if r.Kind != probe.Full {
		d.countCompany(r.Start)
		d.look(r)
		return
	}
	if !d.goesOn(r) {
		d.Asked = nil
		d.beginRound(r)
	}
	d.noteAsked(r)
	d.look(r)
	for i := range r.Passes {
		p := d.protocol(r.Passes[i].Protocol.Code())
		p.Active, p.Missed = true, 0
	}
}

// beginRound judges that a full round begins, by one line or by the first of several.
func (d *Detector) beginRound(r *probe.Round) {
	d.countCompany(r.Start)
	if n := len(d.Starts); n > 0 && d.MedianGap > 0 && d.gapBetween(d.Starts[n-1], r.Start) {
		d.miss(Unseen{From: cmp.Or(d.Covered, d.Starts[0]), To: r.Start, Reason: reasonGap, Block: everywhere}, r.Start)
	}
	if n := len(d.Starts); n > 0 {
		d.missUnasked(r, d.Starts[n-1])
	}
	d.Starts = append(d.Starts, r.Start)
	if len(d.Starts) > 21 {
		d.Starts = slices.Delete(d.Starts, 0, 1)
	}
	d.MedianGap = medianGap(d.Starts)
	if span := r.Span.Milliseconds(); d.MedianGap > 0 && d.MedianGap < span {
		d.MedianGap = span // many were broken off, as by restarts, or rounds take longer from now on
	}
	for i := range d.Protocols { // one may have rounds of its own
		if p := &d.Protocols[i]; p.Missed.add() {
			p.Active = false
		}
	}
}

// settleIn forgets how long round trips take where they are of a vantage that has not been heard of for some rounds. Of those that
// take turns, the fastest is remembered.
func (d *Detector) settleIn(vantage string, at probe.Instant) {
	if vantage == "" {
		return
	}
	last := len(d.Vantages) - 1
	since := at.Add(-mostMissed * cmp.Or(d.MedianGap, 3600_000))
	k := slices.IndexFunc(d.Vantages, func(v vantageSeen) bool { return v.Name == vantage })
	if last >= 0 && (k < 0 || k < last && d.Vantages[k].At < since) {
		d.FastRTT, d.Delay = 0, 0
		for i := range d.Services {
			d.Services[i].FastRTT, d.Services[i].RTTs = 0, 0
		}
	}
	v := vantageSeen{Name: vantage}
	if k >= 0 {
		v = d.Vantages[k]
	}
	v.At = at
	d.Vantages = slices.DeleteFunc(d.Vantages, func(v vantageSeen) bool { return v.Name == vantage || v.At < since })
	d.Vantages = append(d.Vantages, v)
}

// gapBetween reports whether so much time lies between two moments that it is a gap: 2.5 rounds or, before it is known how
// long they are, an hour.
func (d *Detector) gapBetween(from, to probe.Instant) bool {
	round := cmp.Or(d.MedianGap, 3600_000*2/5)
	return 2*int64(to-from) > 5*round
}

// medianGap is the median time from start to start; 0 where there are too few to say.
func medianGap(starts []probe.Instant) int64 {
	if len(starts) < 3 {
		return 0
	}
	gaps := make([]int64, len(starts)-1)
	for i := range gaps {
		gaps[i] = int64(starts[i+1] - starts[i])
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

func (d *Detector) protocol(code uint32) *protocol {
	for i := range d.Protocols {
		if d.Protocols[i].Code == code {
			return &d.Protocols[i]
		}
	}
	d.Protocols = append(d.Protocols, protocol{Code: code})
	return &d.Protocols[len(d.Protocols)-1]
}

// end judges that all of a line has been seen, but for late replies.
func (d *Detector) end(r *probe.Round, seen probe.Instant) {
	covered := d.Covered
	if r.Kind == probe.Full || mostlySent(r) {
		d.Covered = max(d.Covered, r.End)
	}
	d.Slack = r.Slack // not before: while the line is under way it still grows
	if mostlySent(r) && mostlySighted(r) {
		d.Sighted = seen
	}
	if r.Kind == probe.Full {
		d.missRound(r, covered, seen)
		d.hearNothing(r)
		d.TooFast = 0
		d.passOver(r)
		d.learnRound(r)
	}
	for i := range d.Parts {
		d.settle(&d.Parts[i], r, seen)
	}
	d.dimSpace(seen)
	if r.Whole() { // else most were not asked, and the figures would say that they were silent
		d.summarise(r, seen)
		d.inVain(r)
	}
}

// inVain notes whom a round failed to ask.
func (d *Detector) inVain(r *probe.Round) {
	for i := range r.Passes {
		p := &r.Passes[i]
		for _, target := range p.Unsent {
			if k, known := d.services[serviceKey{p.Targets.Addr(int(target)), p.Protocol}]; known {
				h := &d.Hosts[d.Services[k].Host]
				h.VainAt = max(h.VainAt, r.Start)
			}
		}
	}
}

// mostlySent reports whether of at least half of a line's probes it is known what became of them.
func mostlySent(r *probe.Round) bool {
	targets, unsent := 0, 0
	for i := range r.Passes {
		targets += r.Passes[i].Targets.Len()
		unsent += len(r.Passes[i].Unsent)
	}
	return 2*unsent <= targets
}

// mostlySighted reports whether our own sight was good for at least half of a line.
func mostlySighted(r *probe.Round) bool {
	bad := int64(0)
	for _, w := range badWindows(r) {
		bad += w.To - w.From
	}
	return 2*bad <= int64(r.End-r.Start)
}

// passOver takes the protocols for inactive by which we failed to probe most of what answers by them, where we did not by
// others: nothing is expected of them, and nothing that they said before still holds. A round that was broken off says nothing
// of it.
func (d *Detector) passOver(r *probe.Round) {
	if !r.Whole() {
		return
	}
	var failed []uint32
	due := 0
	for i := range r.Passes {
		n, unsent := d.baselineIn(&r.Passes[i])
		if n > 0 {
			due++
		}
		if 2*unsent > n {
			failed = append(failed, r.Passes[i].Protocol.Code())
		}
	}
	if len(failed) == due {
		return
	}
	for _, code := range failed {
		d.protocol(code).Active = false
	}
}

// baselineIn counts the services with a baseline that a pass was to probe, and those of them that we failed to.
func (d *Detector) baselineIn(p *probe.Pass) (due, unsent int) {
	for i := range d.Services {
		s := &d.Services[i]
		if s.Code != p.Protocol.Code() || !s.hasBaseline() {
			continue
		}
		if target, ok := p.Targets.Index(d.Hosts[s.Host].Addr); ok {
			due++
			if _, failed := slices.BinarySearch(p.Unsent, int32(target)); failed {
				unsent++
			}
		}
	}
	return due, unsent
}

// learnRound learns from a full round, and from the one before where its block proved to be up.
func (d *Detector) learnRound(r *probe.Round) {
	d.outdate(r)
	round := d.roundOf(r)
	isNew := round > d.Learned
	for i := range d.Services {
		s := &d.Services[i]
		h := &d.Hosts[s.Host]
		b := d.teacher(h)
		switch {
		case !d.calm(b) || d.awayThroughout(h) || slices.Contains(b.Filtered, s.Code) || slices.Contains(d.Parts[0].Filtered, s.Code):
			s.Held = noTrial
		case s.Fresh == noTrial && (passBy(r, s.Code) < 0 || !isNew && !aimedAt(r, s.Code, h.Addr)):
			continue // another line of the round says something of it, or the next round
		case b.State == Learning:
			d.learn(s, s.Fresh, r.Start)
		default:
			d.learn(s, s.Held, d.Starts[max(len(d.Starts)-2, 0)])
			s.Held = s.Fresh
		}
		s.Fresh = noTrial
	}
	for i := range r.Passes {
		p := d.protocol(r.Passes[i].Protocol.Code())
		p.N = forget(p.N) + counted
	}
	d.refresh(r.End)
	for i := range d.Parts {
		d.graduate(&d.Parts[i], r, round)
	}
	d.Learned = max(d.Learned, round)
}

// passBy is the index of a round's pass by a protocol; -1 where it has none.
func passBy(r *probe.Round, code uint32) int {
	return slices.IndexFunc(r.Passes, func(p probe.Pass) bool { return p.Protocol.Code() == code })
}

// outdate forgets what services said that full rounds have had nothing of: they are not probed any more, or we fail to. A
// round that was broken off, or has nothing of anybody and was blind, says nothing of them; nor does one of other targets.
func (d *Detector) outdate(r *probe.Round) {
	if !r.Whole() || !slices.ContainsFunc(d.Services, func(s service) bool { return s.Fresh != noTrial }) {
		return
	}
	for i := range d.Services {
		s := &d.Services[i]
		h := &d.Hosts[s.Host]
		switch {
		case s.Fresh != noTrial:
			s.Missed = 0
		case !d.protocol(s.Code).Active:
			s.Answers = false
		case aimedAt(r, s.Code, h.Addr) && s.Missed.add():
			s.Answers = false
		}
		if !s.Answers {
			h.Answers = d.answersBy(h, nil)
		}
	}
}

// aimedAt reports whether a round was to probe a service.
func aimedAt(r *probe.Round, code uint32, a netip.Addr) bool {
	k := passBy(r, code)
	if k < 0 {
		return false
	}
	_, ok := r.Passes[k].Targets.Index(a)
	return ok
}

// learn counts what the round of start said of a service.
func (d *Detector) learn(s *service, t trial, start probe.Instant) {
	if t == noTrial {
		return
	}
	s.learn(t)
	d.Hosts[s.Host].Hours.learn(start, t.life())
}

// teacher is the block whose being up vouches for a host's rounds: its own, or the space where its own has no verdict, or none that could be
// partial.
func (d *Detector) teacher(h *host) *block {
	own, space := &d.Parts[h.Block], &d.Parts[0]
	if own.State == Up && own.Observable && (own.Usual >= usualForPartial || space.State <= Up) || own.State > Up || space.State < Up {
		return own
	}
	return space
}

// awayThroughout reports whether a host has been silent since the outage of the space began: its block may be up for all that, where too few
// of it are.
func (d *Detector) awayThroughout(h *host) bool {
	space := &d.Parts[0]
	return space.State == Partial && h.Lived <= space.Open.Start.Latest
}

// refresh works out what the counts say of the hour of t.
func (d *Detector) refresh(t probe.Instant) {
	for i := range d.Areas {
		d.Areas[i].Usual = 0
	}
	for i := range d.Parts {
		d.Parts[i].Expected, d.Parts[i].Usual, d.Parts[i].power = 0, 0, Power{}
	}
	d.FastRTT, d.LearnedGap, d.LearnedTimeout = 0, d.MedianGap, d.TimeoutMS
	factors := make([]int64, len(d.Hosts))
	for i := range d.Hosts {
		factors[i] = d.Hosts[i].Hours.factor(t)
		d.Hosts[i].Season = min(factors[i], million)
	}
	for i := range d.Services {
		d.refreshService(&d.Services[i], factors[d.Services[i].Host])
	}
	for i := range d.Hosts {
		d.refreshHost(&d.Hosts[i])
	}
	for i := range d.Parts {
		d.Parts[i].Observable = d.observable(&d.Parts[i])
	}
}

func (d *Detector) refreshService(s *service, factor int64) {
	s.Mean = s.availability()
	s.Expected = min(s.Mean*factor/million, max(s.Mean, million-leastSilence))
	s.Reliable = s.hasBaseline() && d.protocol(s.Code).Active && d.holds(d.Hosts[s.Host].Addr)
	if s.RTTs >= learnedRounds && (d.FastRTT == 0 || s.FastRTT < d.FastRTT) {
		d.FastRTT = s.FastRTT
	}
}

func (d *Detector) refreshHost(h *host) {
	silent, allDay := int64(million), int64(million)
	h.Usual = false
	for _, i := range h.Services {
		if s := &d.Services[i]; s.Reliable {
			silent = silent * (million - s.Expected) / million
			allDay = allDay * (million - s.Mean) / million
			h.Usual = h.Usual || s.Mean >= million/2
		}
	}
	h.Expected, h.AllDay = million-silent, million-allDay
	for _, b := range blocksOf(h) {
		d.Parts[b].Expected += h.Expected
		if h.Usual {
			d.Parts[b].Usual++
		}
	}
	if h.Usual {
		for _, a := range h.Areas {
			d.Areas[a].Usual++
		}
	}
}

// observable reports whether six rounds of silence would be decisive.
func (d *Detector) observable(b *block) bool {
	const rounds = 6
	hosts, first, more := 0, int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		if h.Expected == 0 {
			continue
		}
		hosts++
		first += weight(max(million-h.Expected, leastSilence))
		more += d.repeatWeight(h)
	}
	return hosts >= hostsForBlock && first+(rounds-1)*more >= enough
}

// repeatWeight is what another round of silence of an already silent host weighs.
func (d *Detector) repeatWeight(h *host) int64 {
	odds := int64(mostSilence)
	for _, i := range h.Services {
		if s := &d.Services[i]; s.Reliable {
			odds = min(odds, s.silentOn())
		}
	}
	return weight(max(odds, leastSilence))
}

// graduate moves a block between learning, unobservable and up, at the end of a line of the full round that began then.
func (d *Detector) graduate(b *block, r *probe.Round, round probe.Instant) {
	b.Asked = 0
	isNew := round > d.Learned // else by another line of it it was counted
	if isNew {
		if b.Suspect != 0 {
			b.Doubted++
		}
		if !slices.ContainsFunc(badWindows(r), func(w probe.Window) bool { return 2*(w.To-w.From) > int64(r.End-r.Start) }) {
			b.Rounds++
		}
	}
	alive := d.alive(b, r.End)
	b.noteAlive(r.End, alive, d.MedianGap)
	if b.State > Up {
		d.noteLevel(b, r.End, round)
		return
	}
	switch {
	case b.State == Learning && b.Rounds < learnedRounds:
	case b.Observable && b.State != Up:
		d.move(b, Up, r.End, r.End, "")
	case !b.Observable && b.State != Unobservable && b.Suspect == 0:
		d.move(b, Unobservable, r.End, r.End, "")
	case !b.Observable && b.State == Up && b.Doubted >= doubtedRounds: // nor was it when the doubt began that nothing could settle
		d.move(b, Unobservable, max(b.Since, b.Suspect), r.End, "")
	}
	d.noteLevel(b, r.End, round)
	if b.State == Unobservable || !isNew {
		return
	}
	alive *= million
	if d.calm(b) {
		b.Hours[hourOf(r.End)].learn(r.End, alive)
		b.Sinking.note(r.End, alive)
	}
	if b.Suspect == 0 {
		rate := min(d.rateAtBest(b), million)
		if b.Before == 0 {
			b.Before = rate
		}
		if b.Alive == 0 {
			b.Alive = alive
		}
		b.Before += (rate - b.Before) / 8
		b.Alive += (alive - b.Alive) / 8
	}
}

// noteLevel keeps a block's level at the end of a full round, in an outage too: where in it that ended is known only later.
func (d *Detector) noteLevel(b *block, at, round probe.Instant) {
	const kept = 16
	if n := len(b.Rates); n > 0 && round <= d.Learned && b.Rates[n-1].At > round { // one a round, as its latest line leaves it
		b.Rates = b.Rates[:n-1]
	}
	level := d.level(b)
	if b.State == Learning { // after few rounds less is expected than answers
		level = min(level, million)
	}
	if b.Rates = append(b.Rates, rateAt{at, level}); len(b.Rates) > kept {
		b.Rates = slices.Delete(b.Rates, 0, 1)
	}
}

// forgetLevels forgets the levels of an outage that is over: the next fall is not one from them.
func (b *block) forgetLevels(from, to probe.Instant) {
	b.Rates = slices.DeleteFunc(b.Rates, func(r rateAt) bool { return r.At > from && r.At <= to })
}

// rate is the response rate in millionths: usual addresses whose latest observation is life, over those expected. What
// the left out protocols add to either does not count.
func (d *Detector) rate(b *block, leftOut []uint32) int64 {
	answering, expected := int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		if h.Expected == 0 {
			continue
		}
		e := h.Expected
		if len(leftOut) > 0 {
			e = d.expectedWithout(h, leftOut)
		}
		expected += e
		if e > 0 && d.answersBy(h, leftOut) {
			answering += million
		}
	}
	if expected == 0 {
		return 0
	}
	return answering * 1000 / max(expected/1000, 1)
}

func (d *Detector) expectedWithout(h *host, leftOut []uint32) int64 {
	silent := int64(million)
	for _, i := range h.Services {
		if s := &d.Services[i]; s.Reliable && !slices.Contains(leftOut, s.Code) {
			silent = silent * (million - s.Expected) / million
		}
	}
	return million - silent
}
