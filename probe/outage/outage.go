package outage

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"brownout/probe"
)

// State is what a block is in.
type State uint8

const (
	Learning     State = iota // the first rounds: there is no baseline yet
	Unobservable              // too few or too unreliable addresses answer for silence to mean anything
	Up
	Partial // a brownout: less life than there should be
	Total   // no life from any address
	Unknown // we did not look, or could not trust what we saw
)

var stateNames = [...]string{"learning", "unobservable", "up", "partial", "total", "unknown"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(b []byte) error {
	for i, name := range stateNames {
		if string(b) == name {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("state %q is none of %v", b, stateNames)
}

// SpaceBlock is the name of the block that is the whole space. Other blocks are named by their prefix.
const SpaceBlock = "space"

// Interval bounds a moment that lies between two probes.
type Interval struct {
	Earliest probe.Instant `json:"earliest"` // of a start: the send time of the last answered probe
	At       probe.Instant `json:"at"`       // the most likely instant
	Latest   probe.Instant `json:"latest"`   // of a start: when silence was all but certain
}

// Phase is a part of an outage in one state: partial, total or unknown.
type Phase struct {
	Kind  State     `json:"kind"`
	Start Interval  `json:"start"`
	End   *Interval `json:"end"` // nil: it lasts
}

// Outage is an interval in which a block was partial or total. Its ID never changes.
type Outage struct {
	ID           string          `json:"id"` // block and start.latest as first declared
	Block        string          `json:"block"`
	PartOf       *string         `json:"part_of"` // the space's outage that overlaps this block outage's start
	Kind         State           `json:"kind"`    // its worst phase
	Status       Status          `json:"status"`
	Start        Interval        `json:"start"`
	End          *Interval       `json:"end"`
	Phases       []Phase         `json:"phases"`
	Dark         []netip.Prefix  `json:"dark"`          // prefixes in which nothing answered while the rest did, down to /28
	Loss         Decimal         `json:"loss"`          // share of the addresses outside of them that did not answer, at the worst pass
	Gone         []netip.Addr    `json:"gone"`          // usual addresses silent from its start to its worst pass, or in its total phase; at most 64
	Protocols    []string        `json:"protocols"`     // by which they usually answer
	Expected     Decimal         `json:"expected"`      // addresses that should have answered, at the worst pass
	Observed     int             `json:"observed"`      // usual ones that did
	ResponseRate Decimal         `json:"response_rate"` // observed / expected
	DeclaredAt   probe.Instant   `json:"declared_at"`
	UnstableFor  Seconds         `json:"unstable_for_s"` // how long the block had been unstable when it began
	Evidence     []probe.Instant `json:"evidence"`       // starts of at most 12 rounds around start, declaration and end
	Conditions   []Condition     `json:"conditions"`
	Power        Power           `json:"power"`     // what could be detected when it began
	Revisions    []Revision      `json:"revisions"` // what was found later: nothing above is changed for it
}

// Length is how many milliseconds its phases of one kind lasted in all; one that lasts does so until now.
func (o *Outage) Length(kind State, now probe.Instant) (ms int64) {
	for _, p := range o.Phases {
		end := now
		if p.End != nil {
			end = p.End.At
		}
		if p.Kind == kind {
			ms += max(int64(end-p.Start.At), 0)
		}
	}
	return ms
}

// Seconds is Length in whole seconds.
func (o *Outage) Seconds(kind State, now probe.Instant) int {
	return int((o.Length(kind, now) + 500) / 1000)
}

// FillLists makes lists empty that are null, as an older version may have left them: they are published, and never null.
func (o *Outage) FillLists() {
	orEmpty(&o.Phases)
	orEmpty(&o.Dark)
	orEmpty(&o.Gone)
	orEmpty(&o.Protocols)
	orEmpty(&o.Evidence)
	orEmpty(&o.Conditions)
	orEmpty(&o.Revisions)
	for i := range o.Revisions {
		orEmpty(&o.Revisions[i].Addresses)
		orEmpty(&o.Revisions[i].Rounds)
	}
}

func orEmpty[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

// Revision is a later finding on an outage.
type Revision struct {
	At        probe.Instant   `json:"at"`        // when it was found
	Finding   Condition       `json:"finding"`   // late-reply, moved, shifted or dropped
	Kind      State           `json:"kind"`      // what the outage is held to have been: partial, or up for none
	Addresses []netip.Addr    `json:"addresses"` // that answered after all, or that were lit
	Rounds    []probe.Instant `json:"rounds"`    // that show it
}

// Power is how little a block's learned responders let be detected, and how soon: a drop that is smaller may pass unseen.
type Power struct {
	SmallestDrop Decimal `json:"smallest_drop"`    // share of the expected addresses, wherever they are; 1: only a total outage
	TotalAfter   Seconds `json:"detect_total_s"`   // from the onset to the declaration, without core passes; 0: never
	PartialAfter Seconds `json:"detect_partial_s"` // the same of the smallest drop; 0: never
}

// Status says whether an outage lasts.
type Status string

const (
	Ongoing Status = "ongoing"
	Ended   Status = "ended"
)

// Condition is something worth knowing that is not an outage by itself.
type Condition string

const (
	Filtering      Condition = "filtering"       // one protocol is dark while others answer
	SingleProtocol Condition = "single-protocol" // only one protocol is there: filtering cannot be told from an outage
	RateLimited    Condition = "rate-limited"    // loss that one protocol suffers alone, or that rises with our rate
	Unstable       Condition = "unstable"        // three outages within six hours: groups notifications
	Middlebox      Condition = "middlebox"       // replies faster than the path allows
	Moved          Condition = "moved"           // addresses fell silent, and about as many were lit within a day
	Shifted        Condition = "shifted"         // a partial outage that lasted so long that it is how the block is now
	Dropped        Condition = "dropped"         // of a revision: those gone were taken out of the space, and nobody saw it end
	LateReply      Condition = "late-reply"      // of a revision: life in a time that was called total
)

// Report is a condition with its evidence.
type Report struct {
	Condition Condition       `json:"condition"`
	Since     probe.Instant   `json:"since"`
	Protocols []string        `json:"protocols"` // that suffer it
	Addresses []netip.Addr    `json:"addresses"` // that were lit, or answered too fast; at most 64
	Rounds    []probe.Instant `json:"rounds"`    // that show it; at most 12
}

// Change says a block's state from Since on, until the next change; it corrects whatever was said of that time before.
type Change struct {
	Block      string        `json:"block"`
	State      State         `json:"state"`
	Since      probe.Instant `json:"since"`
	DeclaredAt probe.Instant `json:"declared_at"`
	Reason     string        `json:"reason,omitempty"`
}

// Summary is one block's figures in one line.
type Summary struct {
	Kind       probe.Kind    `json:"kind"`
	Start      probe.Instant `json:"start"`
	End        probe.Instant `json:"end"`
	Block      string        `json:"block"`
	State      State         `json:"state"` // when the line was judged
	Expected   Decimal       `json:"expected"`
	Observed   int           `json:"observed"`   // answering addresses that have a baseline
	Responsive int           `json:"responsive"` // answering addresses, the newly lit included
	Targets    int           `json:"targets"`    // addresses probed
	RTT        [5]uint32     `json:"rtt_us"`     // 10th, 25th, 50th, 75th and 90th percentile; 0: no reply
}

// Findings is what an advance of the detector found, in order.
type Findings struct {
	Judged    probe.Instant // everything seen before this has been judged
	Changes   []Change
	Outages   []Outage  // new or changed, whole; the latest of an ID counts
	Summaries []Summary // of full rounds that ended
	Confirm   bool      // the core should be probed again at once
}

// Add adds what was found later. How far was judged, and whether to confirm, are the caller's to say.
func (f *Findings) Add(later Findings) {
	f.Changes = append(f.Changes, later.Changes...)
	f.Outages = append(f.Outages, later.Outages...)
	f.Summaries = append(f.Summaries, later.Summaries...)
}

// BlockStatus is a block's state as of the last observation judged.
type BlockStatus struct {
	Block        string        `json:"block"`
	State        State         `json:"state"`
	Since        probe.Instant `json:"since"`
	Reason       string        `json:"reason,omitempty"`
	Expected     Decimal       `json:"expected"`
	Observed     int           `json:"observed"`
	ResponseRate Decimal       `json:"response_rate"`
	Usual        int           `json:"usual"`      // addresses that usually answer
	Responsive   int           `json:"responsive"` // addresses that answered in the last full round
	Targets      int           `json:"targets"`
	Conditions   []Condition   `json:"conditions"`
	Reports      []Report      `json:"reports"` // the same with their evidence
	Power        Power         `json:"power"`
}

// Decimal is a number in ten-thousandths: what is published of rates and expectations, exact on every machine.
type Decimal int64

// Ratio is num/den rounded to four decimals; 0 where den is 0.
func Ratio(num, den int64) Decimal {
	if den == 0 {
		return 0
	}
	return Decimal((num*20000 + den) / (2 * den))
}

// Float is d for display and metrics.
func (d Decimal) Float() float64 { return float64(d) / 10000 }

func (d Decimal) String() string { return string(d.Append(nil)) }

// Append appends what String prints: at least one decimal and at most four.
func (d Decimal) Append(b []byte) []byte {
	if d < 0 {
		b, d = append(b, '-'), -d
	}
	b = append(strconv.AppendInt(b, int64(d/10000), 10), '.')
	rest := d % 10000
	b = append(b, '0'+byte(rest/1000))
	for rest, place := rest%1000, Decimal(100); rest > 0; rest, place = rest%place, place/10 {
		b = append(b, '0'+byte(rest/place))
	}
	return b
}

// MarshalJSON writes at least one and at most four decimals.
func (d Decimal) MarshalJSON() ([]byte, error) { return d.Append(nil), nil }

// UnmarshalJSON reads a number and rounds it to four decimals.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if f < 0 {
		*d = Decimal(float64(f*10000) - 0.5)
	} else {
		*d = Decimal(float64(f*10000) + 0.5)
	}
	return nil
}

// Seconds is a duration in whole seconds.
type Seconds int64

// Duration is s as a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }
