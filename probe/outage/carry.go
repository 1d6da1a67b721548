package outage

import (
	"slices"

	"brownout/probe"
)

// Carrier makes a detector that learned anew go on from the cursor with what was told of the time before it, none of which
// is changed:
//
//   - An outage that was told to last, and is found to last, is carried on under its ID, as it was told. Where it is of
//     another state by now, a phase begins at the cursor.
//   - One that was told to last, and is not found to, ends at the cursor, or earlier by its interval, where it is found to
//     have. Where it is found to have been none, or how things are now, that revises it.
//   - One that is found to last, and was not told to, is declared at the cursor and begins there, or earlier by its interval.
//   - An outage that ended stays as it was told; the next begins after it.
//   - Where a block is in another state than was told, it is told to be from the cursor on.
type Carrier struct {
	Detector *Detector
	Cursor   probe.Instant
	Told     []Outage                             // all there are
	Said     func(block string) ([]Change, error) // what was told of a block's states
	Found    Findings                             // what is to be told from the cursor on; after CarryOn

	states map[string]Change // of each block, what the detector said last
}

// Advance judges what was put, and keeps of what that finds the latest states alone.
func (c *Carrier) Advance(until probe.Instant) {
	if c.states == nil {
		c.states = map[string]Change{}
	}
	for _, said := range c.Detector.Advance(until).Changes {
		c.states[said.Block] = said
	}
}

// CarryOn says what becomes of what was told, once all before the cursor has been judged.
func (c *Carrier) CarryOn() error {
	c.Found.Judged = c.Cursor
	known := map[string]bool{}
	for i := range c.Detector.Parts {
		known[c.Detector.Parts[i].Name] = true
		c.settle(i)
		if err := c.state(i); err != nil {
			return err
		}
	}
	for _, o := range c.Told {
		if o.Status == Ongoing && !known[o.Block] { // none of its block's rounds is left
			c.tell(c.ended(o, c.Cursor, nil))
			c.say(o.Block, Unknown, "")
		}
	}
	return nil
}

// settle says what becomes of a block's outages.
func (c *Carrier) settle(i int) {
	b := &c.Detector.Parts[i]
	lasts, over := c.toldOf(b.Name)
	found := b.Last
	switch {
	case over == nil:
		b.Last = nil
		if lasts == nil && b.Open == nil { // of what made it flap nothing was told
			b.Starts, b.Unstable = nil, 0
		}
	case found == nil || found.ID != over.ID:
		b.Last = new(record)
		fallthrough
	default:
		b.Last.Outage = *over
	}
	switch {
	case lasts != nil && b.Open != nil:
		now := b.Open.lastPhase().Kind
		b.Open.Outage = carried(*lasts, &b.Open.Outage)
		if c.turn(&b.Open.Outage, now) {
			c.tell(b.Open.Outage)
		}
	case lasts != nil:
		earliest, revisions := c.Cursor, []Revision(nil)
		if found != nil && found.End.At > lasts.Start.At {
			earliest, revisions = found.End.Earliest, found.Revisions
		}
		b.Last = new(record)
		b.Last.Outage = c.ended(*lasts, earliest, revisions)
		c.tell(b.Last.Outage)
	case b.Open != nil:
		c.declare(&b.Open.Outage, i, over)
		c.tell(b.Open.Outage)
	}
}

// toldOf is a block's outage that was told to last, and of the others the one that ended last; nil where there is none.
func (c *Carrier) toldOf(block string) (lasts, over *Outage) {
	for i := range c.Told {
		o := &c.Told[i]
		switch {
		case o.Block != block:
		case o.Status == Ongoing:
			lasts = o
		case over == nil || o.End.At > over.End.At:
			over = o
		}
	}
	return lasts, over
}

// carried is an outage that was told to last, as the detector goes on with it. What it finds of it is taken where nothing
// was told, and so is what it watches to come back.
func carried(o Outage, found *Outage) Outage {
	o.Phases = seenPhases(o.Phases)
	if len(found.Dark) > 0 {
		o.Dark = found.Dark
	}
	if o.Power == (Power{}) {
		o.Loss, o.Gone, o.Protocols, o.Power = found.Loss, found.Gone, found.Protocols, found.Power
	}
	return o
}

// seenPhases is phases without the times unknown between them: the detector keeps those apart.
func seenPhases(told []Phase) []Phase {
	var out []Phase
	for _, p := range told {
		n := len(out)
		switch {
		case p.Kind == Unknown:
		case n > 0 && out[n-1].Kind == p.Kind:
			out[n-1].End = p.End
		default:
			if n > 0 {
				start := p.Start
				out[n-1].End = &start
			}
			out = append(out, p)
		}
	}
	return out
}

// turn begins a phase at the cursor, if the one that was told to last is of another kind.
func (c *Carrier) turn(o *Outage, now State) bool {
	last := o.lastPhase()
	if last.Kind == now {
		return false
	}
	at := c.since(c.Cursor)
	last.End = &at
	o.Phases = append(o.Phases, Phase{Kind: now, Start: at})
	if now == Total {
		o.Kind = Total
	}
	return true
}

// since is the cursor as an interval that begins earlier.
func (c *Carrier) since(earliest probe.Instant) Interval {
	return Interval{Earliest: min(earliest, c.Cursor), At: c.Cursor, Latest: c.Cursor}
}

// ended is an outage that ends at the cursor.
func (c *Carrier) ended(o Outage, earliest probe.Instant, revisions []Revision) Outage {
	o.Phases = slices.Clone(o.Phases)
	last := o.lastPhase()
	end := c.since(max(earliest, last.Start.Earliest))
	last.End, o.End, o.Status = &end, &end, Ended
	for _, r := range revisions {
		r.At = c.Cursor // when it came to be found
		o.Revisions = append(o.Revisions, r)
	}
	return o
}

// declare makes the outage that is found of block i one that begins at the cursor.
func (c *Carrier) declare(o *Outage, i int, over *Outage) {
	earliest := o.Start.Earliest
	if over != nil {
		earliest = max(earliest, over.End.At)
	}
	kind := o.lastPhase().Kind
	o.Start, o.Kind, o.DeclaredAt = c.since(earliest), kind, c.Cursor
	o.Phases = []Phase{{Kind: kind, Start: o.Start}}
	o.ID = outageID(o.Block, o.Start)
	if whole := c.Detector.Parts[0].Open; i > 0 {
		o.PartOf = nil
		if whole != nil {
			id := whole.ID
			o.PartOf = &id
		}
	}
}

// tell adds an outage as it stands to the findings.
func (c *Carrier) tell(o Outage) {
	o.Phases = slices.Clone(o.Phases) // the detector goes on with its own
	o.FillLists()
	c.Found.Outages = append(c.Found.Outages, o)
}

func (c *Carrier) say(block string, s State, reason string) {
	c.Found.Changes = append(c.Found.Changes, Change{Block: block, State: s, Since: c.Cursor, DeclaredAt: c.Cursor, Reason: reason})
}

// state says what state block i is in, where another was told last.
func (c *Carrier) state(i int) error {
	b := &c.Detector.Parts[i]
	told, err := c.Said(b.Name)
	if err != nil {
		return err
	}
	is := c.states[b.Name]
	if n := len(told); n == 0 || told[n-1].State != is.State {
		b.Since = c.Cursor
		c.say(b.Name, is.State, is.Reason)
	}
	return nil
}
