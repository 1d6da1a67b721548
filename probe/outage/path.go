package outage

import (
	"slices"

	"brownout/probe"
)

// path is what is known of the way to the space, which all that is sent shares: whether it is good or in one of several
// kinds of bad spell, a hidden chain in continuous time (Gilbert, BSTJ 1960; Elliott, BSTJ 1963) that is filtered forward
// through the observations in order of sending (Baum et al., 1970). It is what keeps a burst of loss from being taken for
// an outage: many silences in a few seconds are one piece of news.
type path struct {
	At      probe.Instant      // everything sent until then has been taken in
	Bad     [len(bursts)]int64 // billionths: the chance of each kind of bad spell then
	Waiting []sample           // not yet taken in, ordered by From
}

// burst is a kind of bad spell.
type burst struct {
	half  int64 // half-life, milliseconds
	share int64 // of the time, billionths
	loss  int64 // of what is sent in it, millionths
}

// bursts are a mean of 3 s in 3 % of the time, as is common on long paths, and rare ones of 20 s.
var bursts = [...]burst{
	{half: 2_079, share: 30_000_000, loss: 800_000},
	{half: 13_863, share: 100_000, loss: 800_000},
}

// usualLoss is the share of what is sent, in millionths, that such a path takes.
var usualLoss = func() (sum int64) {
	for _, b := range bursts {
		sum += b.share * b.loss / billion
	}
	return sum
}()

const billion = 1_000_000_000

// sample is an observation of a reliable service.
type sample struct {
	From   probe.Instant
	Spread int64         // milliseconds by which that may be off, either way
	Until  probe.Instant // of an untold event: its round's end; else 0
	Quick  bool          // of such an event, and its round took seconds
	Host   int32
	Code   uint32 // of its protocol
	Pace   int64  // of ICMP: thousandths of probes a second into its /24
	Odds   int32  // millionths: the chance of a silence while up, but for the path
	Path   int32  // millionths: the chance that the path takes it, while up; known when it is taken in
	Life   bool
	Late   bool // a reply that came after the timeout: a silence until then
}

// put keeps a sample until all that were sent before it have been seen.
func (p *path) put(s sample) {
	i := len(p.Waiting)
	for i > 0 && p.Waiting[i-1].From > s.From {
		i--
	}
	p.Waiting = slices.Insert(p.Waiting, i, s)
}

// lossAt is the chance, in millionths, that the path takes what is sent at t, given all that was taken in.
func (p *path) lossAt(t probe.Instant) int64 {
	next := p.at(t)
	sum := int64(0)
	for i, bad := range next {
		sum += bad * bursts[i].loss / billion
	}
	return sum
}

const quickSweep = 60_000 // milliseconds

// ahead is the path as the samples of a round tell that does not say when it asked those who were silent: they are seen in order of
// sending, but all at its end, and not taken in before.
type ahead struct {
	path
	since probe.Instant // what was sent until then has been taken in
	round *probe.Round
	pass  int32
	seen  probe.Instant
	next  int // of Waiting
}

// pathAhead is the path at the moment of an observation: of a quick sweep of that kind as its samples tell, for a burst may take much of it.
// In a longer one, nobody knows who was asked in it.
func (d *Detector) pathAhead(r *probe.Round, e *event) *path {
	if !e.untold || int64(e.to-e.from) > quickSweep {
		return &d.Path
	}
	a, at := &d.ahead, moment(r, e)
	if a.round != r || a.pass != e.pass || a.seen != e.Seen || a.since != d.Path.At || at < a.At {
		*a = ahead{path: path{At: d.Path.At, Bad: d.Path.Bad}, since: d.Path.At, round: r, pass: e.pass, seen: e.Seen}
	}
	for ; a.next < len(d.Path.Waiting) && d.Path.Waiting[a.next].From <= at; a.next++ {
		s := d.Path.Waiting[a.next]
		a.take(&s)
	}
	return &a.path
}

// with is a chance of silence, in millionths, with that of the path at t.
func (p *path) with(odds int64, t probe.Instant) int64 {
	return million - (million-odds)*(million-p.lossAt(t))/million
}

// at is the chances at t, not before At.
func (p *path) at(t probe.Instant) [len(bursts)]int64 {
	next := p.Bad
	good := int64(billion)
	for _, bad := range p.Bad {
		good -= bad
	}
	for i := range next {
		stays := decay(int64(t-p.At), bursts[i].half)
		next[i] = next[i]*stays/million + good*(bursts[i].share*(million-stays)/million)/billion
	}
	return next
}

// take moves on to a sample and learns from it.
func (p *path) take(s *sample) {
	s.Path = int32(p.lossAt(s.From))
	if s.From < p.At {
		return // a late reply: the moment is over
	}
	p.Bad, p.At = p.at(s.From), s.From
	alone := int64(s.Odds)
	if s.Life {
		alone = million - alone
	}
	sum := int64(billion)
	for _, bad := range p.Bad {
		sum -= bad
	}
	sum = sum * alone / million
	for i := range p.Bad {
		lives := (million - int64(s.Odds)) * (million - bursts[i].loss) / million
		if !s.Life {
			lives = million - lives
		}
		p.Bad[i] = p.Bad[i] * lives / million
		sum += p.Bad[i]
	}
	for i := range p.Bad {
		p.Bad[i] = p.Bad[i] * billion / max(sum, 1)
	}
}
