package probe

import (
	"cmp"
	"fmt"
	"iter"
	"math/bits"
	"net/netip"
	"slices"
	"time"
)

// Kind says which targets a round was aimed at.
type Kind uint8

const (
	Full    Kind = iota // every service of the space: a line of kind "round"
	Core                // the core between rounds: "core"
	Confirm             // the usual services, again, on suspicion: "confirm"
)

var kindNames = [...]string{"round", "core", "confirm"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's name.
func (k *Kind) UnmarshalText(b []byte) error {
	for i, name := range kindNames {
		if string(b) == name {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("kind %q is none of %v", b, kindNames)
}

// Round is what one sweep observed: a full round, a core pass or a confirmation. It is also the round so far: End is
// then how far it got, and what was not decided by then is unsent.
//
// Times are on the sweep's clock. Where that clock is scaled (see [Clock]), what the wire measures, RTTs and the
// timeout, stays in real units, and one of them lasts Scale times as long on the clock.
type Round struct {
	Kind       Kind
	Start, End Instant       // End is the end of sending; of a round that was broken off see [Round.Curtail]
	Until      Instant       // not 0 in the last line of an export: judged up to here so far
	Span       time.Duration // over which the plan spread the probes; 0: unpaced; whole milliseconds
	Seed       uint64        // of the plan
	Seeded     bool          // whether Seed is known; rounds of others may have none

	Vantage    string   // who probed
	VantageOK  bool     // false: silence in the whole line is discarded
	Unverified bool     // the vantage had too few references to vouch for it: silence never makes a total
	VantageBad []Window // silence in these is discarded, replies count
	Slack      int64    // milliseconds on the clock by which recorded send times may lie before the true ones
	Space      Space
	Timeout    time.Duration // real; whole milliseconds
	Scale      int64         // clock seconds a real second; 1 but in simulations
	Passes     []Pass        // one a protocol, ordered by protocol
}

// Window is a range of milliseconds after a round's start; To is not part of it.
type Window struct{ From, To int64 }

// Pass is what one protocol of a round observed. Indices are into Targets. A target that is neither in Answers nor in
// Unsent was silent.
type Pass struct {
	Protocol Protocol
	Targets  Space    // what was probed; for a full round the round's Space
	Unsent   []int32  // ascending
	Answers  []Answer // ascending by Target
	SilentMS []int32  // send offsets of the silent, in order of target, or UnknownOffset; nil: as planned
}

// UnknownOffset marks a send time of which only the round's bounds are known.
const UnknownOffset int32 = -1

// PlanTolerance is how far a send may be off its plan before its own offset is stored.
const PlanTolerance = 500 * time.Millisecond

// Answer is a probe's outcome other than silence without a word: everything but Timeout and Unsent.
type Answer struct {
	Target  int32
	Outcome Outcome
	Offset  int32      // send time of the deciding attempt, milliseconds after Start, or UnknownOffset
	First   int32      // of a Late outcome: the first attempt's send time where it is not Offset, else UnknownOffset
	RTT     uint32     // microseconds, as QuantiseRTT leaves them; 0: unknown
	Type    uint8      // of an Unreachable: ICMP type
	Code    uint8      // and code
	From    netip.Addr // and sender
}

// QuantiseRTT rounds microseconds up to seven significant bits, an error below 1.6 %: what the codecs keep of an RTT.
// It rounds up so that no reply is ever recorded before it came.
func QuantiseRTT(us uint32) uint32 {
	const keep = 7
	shift := bits.Len32(us) - keep
	if shift <= 0 {
		return us
	}
	if us > 0xfe000000 {
		return 0xfe000000
	}
	low := uint32(1)<<shift - 1
	return (us + low) &^ low
}

// Plan is the plan by which the round was swept, for the aims that it records.
func (r *Round) Plan() *Plan {
	aims := make([]Aim, len(r.Passes))
	for i := range r.Passes {
		aims[i] = Aim{r.Passes[i].Protocol, r.Passes[i].Targets}
	}
	return NewPlan(r.Seed, r.Span, aims)
}

// TimeoutMS is the timeout on the round's clock, in milliseconds.
func (r *Round) TimeoutMS() int64 { return r.Timeout.Milliseconds() * max(r.Scale, 1) }

// RTTMS is an answer's round-trip time on the round's clock, in milliseconds rounded up.
func (r *Round) RTTMS(a *Answer) int64 { return (int64(a.RTT)*max(r.Scale, 1) + 999) / 1000 }

// Silent yields the targets that were probed and did not answer, ascending.
func (p *Pass) Silent() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		unsent, answers := p.Unsent, p.Answers
		for i := range int32(p.Targets.Len()) {
			switch {
			case len(unsent) > 0 && unsent[0] == i:
				unsent = unsent[1:]
			case len(answers) > 0 && answers[0].Target == i:
				answers = answers[1:]
			case !yield(i):
				return
			}
		}
	}
}

// AccountsFor reports whether the target is among the answers or the unsent: whether it was anything but silent.
func (p *Pass) AccountsFor(target int32) bool {
	if _, unsent := slices.BinarySearch(p.Unsent, target); unsent {
		return true
	}
	_, answered := slices.BinarySearchFunc(p.Answers, target, func(a Answer, t int32) int { return cmp.Compare(a.Target, t) })
	return answered
}

// Whole reports whether it is a full round that was swept to its end: not one that is under way, or was broken off.
func (r *Round) Whole() bool {
	return r.Kind == Full && 10*int64(r.End-r.Start) >= 9*r.Span.Milliseconds()
}

// Beyond reports whether an answer came to what was sent after the round's end, as it was curtailed.
func (r *Round) Beyond(a *Answer) bool { return int64(a.Offset) > int64(r.End-r.Start) }

// Seen is when all of the round has been seen but for late replies and what only its plan tells of, which may have been sent
// PlanTolerance later, and when the last of it is.
func (r *Round) Seen() (timely, last Instant) {
	timely = r.End.Add(r.TimeoutMS())
	for i := range r.Passes {
		for k := range r.Passes[i].Answers {
			a := &r.Passes[i].Answers[k]
			if a.Outcome != Late && !r.Beyond(a) {
				continue
			}
			at := r.Start.Add(int64(max(a.Offset, 0)) + r.RTTMS(a))
			if last = max(last, at); a.Outcome != Late {
				timely = max(timely, at)
				continue
			}
			// It was silent first, and is not seen before that: of what was sent just before the end, that is after it.
			silent := max(int64(a.Offset), int64(a.First), 0) + PlanTolerance.Milliseconds() + r.TimeoutMS()
			last = max(last, r.Start.Add(silent))
		}
	}
	for _, w := range r.VantageBad {
		last = max(last, r.Start.Add(w.To))
	}
	if r.Seeded { // the silent may have been sent that long after their plan
		last = max(last, r.End.Add(PlanTolerance.Milliseconds()+r.TimeoutMS()))
	}
	return timely, max(timely, last)
}

// Last is the last moment at which something of the round is seen.
func (r *Round) Last() Instant {
	_, last := r.Seen()
	return last
}
