package outage

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"brownout/probe"
)

// block is a part of the space with a verdict of its own. Its run of silence is in the area of the same index.
type block struct {
	Name       string
	Prefix     netip.Prefix // zero: the space
	Index      int32
	Targets    int
	ByProtocol []protocolArea

	State      State // apart from times unseen
	Since      probe.Instant
	Reason     string
	Rounds     int        // full rounds learned from
	Observable bool       // as of the last full round
	Expected   int64      // millionths of addresses
	Usual      int        // addresses that usually answer
	Responsive int        // addresses that answered in the last full round
	Before     int64      // millionths: the response rate while all was well
	Alive      int64      // millionths of addresses: how many answered then, with a baseline or without
	Rates      []rateAt   // the level at the ends of the latest full rounds
	Hours      [24]hourly // of the day, in UTC
	Sinking    sinking
	Looks      looks
	Nights     week // and the days between them, of late

	Suspect probe.Instant // since when "up" is doubted; 0: it is not
	Doubted int           // full rounds since
	Asked   int           // confirmations since the last full round
	AskedAt probe.Instant
	Loss    lossTest

	Open     *record         // the outage under way
	Last     *record         // the one before
	Starts   []probe.Instant // of the outages of the last hours
	Unstable probe.Instant   // since when the block flaps; 0: it does not
	Filtered []uint32        // protocols that are dark while others answer
	Lossy    Condition       // what explains the loss under way without an outage; "": nothing
	LossyBy  uint32          // the protocol that suffers it
	Excused  probe.Instant   // since when a filter or what explains a loss is as certain as an outage must be; 0: none is
	Moved    Report          // hosts that moved, or a shift, of late; of no condition: none
	power    Power           // of this round; zero: not worked out yet
	hosts    []int32         // whose own block it is, in order
	LossAt   probe.Instant   // since when loss or an exodus has been certain; 0: it is not
}

// rateAt is a level, in millionths, at a moment.
type rateAt struct {
	At   probe.Instant
	Rate int64
}

// hourly is how many addresses answer in an hour of the day while all is well.
type hourly struct {
	Days  int
	Last  probe.Instant // when it was last learned
	Alive int64         // millionths of addresses
}

// learn takes in how many answered at a moment of the hour.
func (h *hourly) learn(at probe.Instant, alive int64) {
	if h.Days == 0 || at >= h.Last.Add(2*3600_000) {
		h.Days++
	}
	if h.Alive == 0 {
		h.Alive = alive
	}
	h.Last = at
	h.Alive += (alive - h.Alive) / 8
}

const daysKnown = 2 // that an hour of the day must have been seen on

// known reports whether it is known how many answer in the hour.
func (h *hourly) known() bool { return h.Days >= daysKnown }

type protocolArea struct {
	Code uint32
	Area area
}

func (b *block) byProtocol(code uint32) *area {
	for i := range b.ByProtocol {
		if b.ByProtocol[i].Code == code {
			return &b.ByProtocol[i].Area
		}
	}
	b.ByProtocol = append(b.ByProtocol, protocolArea{Code: code})
	return &b.ByProtocol[len(b.ByProtocol)-1].Area
}

// probed reports whether the block is of the space: one that was taken out of it is not.
func (b *block) probed() bool { return b.Index == 0 || b.Targets > 0 }

// judged reports whether the block has a verdict at all.
func (b *block) judged() bool { return b.State != Learning && b.State != Unobservable }

// doubtNoMore takes back what spoke against "up" before a moment.
func (b *block) doubtNoMore(at probe.Instant) {
	b.Loss.reset(at)
	b.Suspect, b.Doubted, b.LossAt = 0, 0, 0
}

// calm reports whether what the block does now may be learned as usual: nothing is wrong, or it has been doubted for so
// long that the doubt is about what was learned.
func (d *Detector) calm(b *block) bool {
	s, _, _ := d.verdict(b)
	return s <= Up && (b.Suspect == 0 || b.Doubted >= doubtedRounds)
}

const doubtedRounds = 6

// needs is the least number of usual addresses for a verdict.
const (
	usualForDark    = 3 // in a prefix
	usualForPartial = 5 // in a block
	hostsForBlock   = 3 // with a baseline, for a block to be observable
)

// lessThanUsual is the response rate, in millionths, above which no loss makes a partial outage.
const lessThanUsual = 800_000

// Cadence of doubts, in milliseconds.
const (
	totalSilence   = 60_000 // of a total outage, or two rounds
	betweenAsks    = 60_000
	asksPerRound   = 4
	unstableWindow = 6 * 3600_000
	unstableCount  = 3
)

// doubt looks at a block after a silence: it may be dark, or it may be worth asking again.
func (d *Detector) doubt(b *block, h *host, seen probe.Instant) {
	if !b.judged() {
		return
	}
	a := &d.Areas[b.Index]
	if b.State != Total && d.isDark(b, a, seen) {
		d.darken(b, a, seen)
		return
	}
	if a.Weight < suspect && b.State != Up {
		return
	}
	if b.State == Total || b.State == Unknown || !d.suspicious(b, h) {
		return
	}
	if b.Suspect == 0 {
		b.Suspect = seen
	}
	d.ask(b, seen)
}

func (d *Detector) suspicious(b *block, h *host) bool {
	if _, odds := b.Loss.worst(); odds >= certain || b.LossAt != 0 {
		return true
	}
	return slices.ContainsFunc(h.Areas, func(i int32) bool {
		a := &d.Areas[i]
		return i == b.Index && a.Weight >= suspect || a.Weight >= certain && a.Usual >= usualForDark
	})
}

// ask requests a confirmation, not more often than is polite.
func (d *Detector) ask(b *block, seen probe.Instant) {
	if b.Asked >= asksPerRound || b.Asked > 0 && seen < b.AskedAt.Add(betweenAsks) {
		return
	}
	b.Asked++
	b.AskedAt = seen
	d.findings.Confirm = true
}

// isDark reports whether the odds are decisive that the block has been dark for long enough, and all of it.
func (d *Detector) isDark(b *block, a *area, seen probe.Instant) bool {
	return (b.Observable || b.Open != nil) && a.Weight >= decisive && int64(seen-a.First) >= d.longEnough() &&
		d.askedAll(b, a.First) && !d.explained(b)
}

// askedEnough is how many silent addresses show that not even a fifth of them lives: 0.8^31 < 1/1000.
const askedEnough = 31

// askedAll reports whether enough of the block's addresses have been silent since a moment that no part of it can be
// thought to answer: all that usually do, or so many that life in a fifth of them would have shown. Fewer than a fifth may have been
// asked in vain, by a fault of ours, but of no block of their own all. Those that are known by filtered protocols alone had been
// silent before.
func (d *Detector) askedAll(b *block, since probe.Instant) bool {
	usual := b.Usual >= hostsForBlock
	filtered := d.filteredIn(b)
	silent, vain, all, survivors := 0, 0, 0, false
	held, asked := make([]bool, len(d.Parts)), make([]bool, len(d.Parts)) // by block: whether it has such hosts, and one was silent
	for _, h := range d.hostsOf(b) {
		if b.Open != nil && h.Answers && h.Lived > b.Open.Start.Latest && d.holds(h.Addr) {
			return false // whoever answered in this outage, usual or new, and was not silent since, lives
		}
		if (usual && !h.Usual) || h.Expected == 0 || len(filtered) > 0 && d.expectedWithout(h, filtered) == 0 {
			continue
		}
		all++
		held[h.Block] = true
		if h.Silent && h.SilentAt >= since {
			silent++
			asked[h.Block] = true
			continue
		}
		if h.VainAt >= since {
			vain++
		}
		if b.Open != nil && h.Lived > b.Open.Start.Latest {
			survivors = true // who answered in this outage may still
		}
	}
	if silent == all {
		return all > 0
	}
	return !survivors && (silent >= askedEnough || silent+vain == all && 5*vain < all && slices.Equal(asked, held))
}

// filteredIn is the protocols that were certain to be dark in a block, or in the space, while others still answered.
func (d *Detector) filteredIn(b *block) (codes []uint32) {
	for _, i := range slices.Compact([]int32{0, b.Index}) {
		for k := range d.Parts[i].ByProtocol {
			if p := &d.Parts[i].ByProtocol[k]; p.Area.darkBefore(d.Areas[i].Lived) {
				codes = append(codes, p.Code)
			}
		}
	}
	return codes
}

func (b *block) holds(h *host) bool { return b.Index == 0 || h.Block == b.Index }

// hostsOf is the hosts of a block, by their index, in order.
func (d *Detector) hostsOf(b *block) iter.Seq2[int32, *host] {
	return func(yield func(int32, *host) bool) {
		if b.Index == 0 {
			for i := range d.Hosts {
				if !yield(int32(i), &d.Hosts[i]) {
					return
				}
			}
			return
		}
		for _, i := range b.hosts {
			if !yield(i, &d.Hosts[i]) {
				return
			}
		}
	}
}

// explained reports whether protocols that are filtered in the whole space explain a block's silence.
func (d *Detector) explained(b *block) bool {
	if b.Index == 0 {
		return false
	}
	dark := d.darkProtocols(&d.Parts[0])
	return len(dark) > 0 && d.onlyBy(d.Areas[b.Index].Prefix, dark)
}

// onlyBy reports whether all that usually answers in a prefix does so by the given protocols.
func (d *Detector) onlyBy(p netip.Prefix, codes []uint32) bool {
	for i := range d.Services {
		s := &d.Services[i]
		if s.Reliable && s.Mean >= million/2 && p.Contains(d.Hosts[s.Host].Addr) && !slices.Contains(codes, s.Code) {
			return false
		}
	}
	return true
}

// darken declares a block dark.
func (d *Detector) darken(b *block, a *area, seen probe.Instant) {
	start := d.afterLast(b, a.start())
	if d.darkWithSpace(b) {
		start.At = min(max(start.Earliest, d.Parts[0].Since), start.Latest)
	}
	if d.Unverified {
		if b.State != Unknown {
			d.move(b, Unknown, start.At, seen, reasonUnverified)
		}
		return
	}
	for _, h := range d.hostsOf(b) {
		d.forgetAnswers(h)
	}
	d.enter(b, Total, start, seen)
	d.publish(b)
	d.move(b, Total, start.At, seen, "")
	if b.Index != 0 {
		d.darkenSpace(seen)
	}
}

// darkenSpace makes the space at least partial when a block of it is total. While it is not certain that the rest
// has lived since, it waits for two rounds: the space may prove to be total itself.
func (d *Detector) darkenSpace(seen probe.Instant) {
	for i := 1; i < len(d.Parts); i++ {
		b := &d.Parts[i]
		if b.State != Total || d.Areas[i].weightBefore(d.Areas[0].Lived) < certain && int64(seen-b.Since) < 2*d.MedianGap {
			continue
		}
		d.darkenBy(b, seen)
		return
	}
}

// darkenBy makes the space at least partial by a block of it that is total.
func (d *Detector) darkenBy(b *block, seen probe.Instant) {
	if space := &d.Parts[0]; space.State == Up && space.Usual >= usualForPartial {
		d.openDark(space, []netip.Prefix{b.Prefix}, seen)
	}
}

func (d *Detector) forgetAnswers(h *host) {
	h.Answers = false
	for _, i := range h.Services {
		d.Services[i].Answers = false
	}
}

// revive looks at a block after life in it.
func (d *Detector) revive(b *block, h *host, s *service, e *event) {
	a := &d.Areas[b.Index]
	if b.State == Unknown {
		d.move(b, Up, a.Relit.At, e.Seen, "")
		b.Loss.reset(e.from)
		return
	}
	if b.State != Total {
		return
	}
	dark := b.Open.lastPhase().Start
	if e.from <= dark.Latest {
		return
	}
	if b.Index != 0 {
		d.darkenBy(b, e.Seen) // it was dark, whether or not it is known yet that the rest was not
	}
	b.Loss.reset(e.from)
	life := d.lifeSince(b, h, s, e)
	d.enter(b, Partial, life, e.Seen)
	d.publish(b)
	b.Open.Cause, b.Open.Back = causeReturn, dark.until(a.Relit)
	b.Open.Doubtful, b.Open.Unasked = true, d.unasked(b, dark.At)
	if a.Relit.At < dark.At {
		b.Open.Back = life
	}
	d.move(b, Partial, life.At, e.Seen, "")
	d.ask(b, e.Seen)
}

// lifeSince bounds since when a host lives in a block that was dark. Of one host that lives we know only when it was last
// silent, by what it answers now: by another protocol it may be for longer; of one that rarely answers, or of a block that is back, more.
func (d *Detector) lifeSince(b *block, h *host, s *service, e *event) Interval {
	dark := b.Open.lastPhase().Start
	relit := d.Areas[b.Index].Relit
	if h.SilentAt < dark.At && relit.At >= dark.At {
		return dark.until(relit)
	}
	silent := max(dark.At, min(cmp.Or(d.Areas[b.Index].lastSilence(s), h.SilentAt), e.from))
	return Interval{Earliest: silent, At: silent + (e.from-silent)/2, Latest: e.arrived.Add(d.Slack)}
}

// until bounds the end of what began in the interval: it lasted at least until it was certain.
func (i Interval) until(end Interval) Interval {
	end.Earliest = max(end.Earliest, min(i.Latest+1, end.At))
	return end
}

// afterLast keeps an outage's start out of the one before.
func (d *Detector) afterLast(b *block, start Interval) Interval {
	if end := b.lastEnd(); end != 0 {
		start.Earliest, start.At, start.Latest = max(start.Earliest, end), max(start.At, end), max(start.Latest, end)
	}
	return start
}

// lastEnd is when a block's last outage ended; 0: it had none.
func (b *block) lastEnd() probe.Instant {
	if b.Last == nil || b.Last.End == nil {
		return 0
	}
	return b.Last.End.At
}

// move says a block's state from since on. Where the space goes dark, or comes back, so do its blocks that have no verdict of
// their own on that; but not a block that has had one since.
func (d *Detector) move(b *block, s State, since, declared probe.Instant, reason string) {
	was, earlier := b.State, since < b.Since
	b.State, b.Since, b.Reason = s, since, reason
	d.say(b, since, declared)
	switch {
	case b.Index != 0 || was != Total && s != Total && !earlier:
		return
	case was == Total && s != Total:
		d.Relit = since
	case s != Total: // what was total is not, for all that is known now
		d.Relit = 0
	}
	for i := 1; i < len(d.Parts); i++ {
		if part := &d.Parts[i]; part.State == Up && part.probed() && (s != Total || part.Since <= since) {
			d.say(part, max(since, part.Since), declared)
		}
	}
}

// darkWithSpace reports whether a block's own silence is too little to say that it is dark, but that of the whole space, to which
// it belongs, says so.
func (d *Detector) darkWithSpace(b *block) bool {
	return b.Index != 0 && b.State == Up && d.Parts[0].State == Total && b.Since <= d.Parts[0].Since
}

// verdict is a block's state, apart from times unseen.
func (d *Detector) verdict(b *block) (s State, since probe.Instant, reason string) {
	switch {
	case d.darkWithSpace(b):
		return Total, d.Parts[0].Since, ""
	case b.Index != 0 && b.State == Up:
		return Up, max(b.Since, d.Relit), b.Reason
	}
	return b.State, b.Since, b.Reason
}

// unseenOfVerdict is the times unseen that a block's verdict does not hold in: its own, and where that is the space's, the space's.
func (d *Detector) unseenOfVerdict(b *block) []Unseen {
	if d.darkWithSpace(b) {
		return d.unseenIn(b.Index, 0)
	}
	return d.unseenOf(b)
}

// say repeats a block's state from since on.
func (d *Detector) say(b *block, since, declared probe.Instant) {
	dark := d.darkWithSpace(b)
	if from := d.Parts[0].Since; dark && since < from {
		d.sayAs(b, d.unseenOf(b), b.State, b.Reason, since, declared)
		since = from
	}
	s, _, reason := d.verdict(b)
	d.sayAs(b, d.unseenOfVerdict(b), s, reason, since, declared)
}

// sayAs tells a state from since on, with times unseen in between.
func (d *Detector) sayAs(b *block, unseen []Unseen, s State, reason string, since, declared probe.Instant) {
	at := since
	for _, u := range unseen {
		if u.To != 0 && u.To <= since {
			continue
		}
		if at < u.From {
			d.tell(b, s, at, declared, reason)
		}
		d.tell(b, Unknown, max(u.From, since), declared, u.Reason)
		if u.To == 0 {
			return
		}
		at = u.To
	}
	d.tell(b, s, at, declared, reason)
}

func (d *Detector) tell(b *block, s State, since, declared probe.Instant, reason string) {
	d.findings.Changes = append(d.findings.Changes, Change{Block: b.Name, State: s, Since: since, DeclaredAt: declared, Reason: reason})
}
