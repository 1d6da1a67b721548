package store

import (
	"errors"
	"fmt"
	"net/netip"

	"brownout/probe"
	"brownout/probe/outage"
)

// relearnSpan is the time before the cursor, or before an outage that lasts, from which what is to be known is learned
// anew, in milliseconds: longer than a partial outage lasts, and twice what is remembered of rounds of 11 minutes.
const relearnSpan = 8 * 24 * 3600_000

// Learned is what a store knows of its rounds.
type Learned struct {
	Detector *outage.Detector // as of the last commit; nil: nothing was committed yet
	Anew     bool             // the snapshot was another version's, or damaged, and so the rounds were judged anew
	Rounds   int              // how many of them
	Findings outage.Findings  // what that changes from the cursor on: to be committed before any other
}

// Learned is the detector as of the last commit. One that another version left cannot be read. Then the stored rounds
// before the cursor are judged anew, and of what that finds, nothing is told of the past: what was told of it stays as it
// was. Only what lasts is carried on, as [outage.Carrier] says. The length of the blocks' prefixes is the store's own where it
// shows, else blockBits or, if that is 0, any that fits.
func (s *Store) Learned(blockBits int) (Learned, error) {
	snapshot, cursor, err := s.Detector()
	if errors.Is(err, errUnlearned) {
		return s.relearn(blockBits, cursor)
	}
	if err != nil || snapshot == nil {
		return Learned{}, err
	}
	d := outage.New(outage.Config{})
	err = d.UnmarshalBinary(snapshot)
	switch {
	case errors.Is(err, outage.ErrSnapshotVersion):
		return s.relearn(blockBits, cursor)
	case err != nil:
		return Learned{}, fmt.Errorf("read what was learned: %w", err)
	}
	return Learned{Detector: d}, nil
}

func (s *Store) relearn(blockBits int, cursor probe.Instant) (Learned, error) {
	bits, err := s.BlockBits(blockBits)
	if err != nil {
		return Learned{}, err
	}
	told, err := s.Outages()
	if err != nil {
		return Learned{}, err
	}
	c := outage.Carrier{Detector: outage.New(outage.Config{BlockBits: bits}), Cursor: cursor, Told: told, Said: s.Said}
	n, err := s.judge(&c, relearnFrom(told, cursor))
	if err == nil {
		err = c.CarryOn()
	}
	if err != nil {
		return Learned{}, fmt.Errorf("learn anew: %w", err)
	}
	return Learned{Detector: c.Detector, Anew: true, Rounds: n, Findings: c.Found}, nil
}

// relearnFrom is the start of the first round to be judged anew: what lasts can only be understood by what was before it.
func relearnFrom(told []outage.Outage, cursor probe.Instant) probe.Instant {
	from := cursor
	for i := range told {
		if told[i].Status == outage.Ongoing {
			from = min(from, told[i].Start.Earliest)
		}
	}
	return from.Add(-relearnSpan)
}

// judge judges the stored rounds from a time up to the cursor, and says how many they were. What had not been seen by then
// is not part of what is learned, as in a snapshot.
func (s *Store) judge(c *outage.Carrier, from probe.Instant) (n int, err error) {
	for r, err := range s.Rounds(from, c.Cursor, false) {
		if err != nil {
			return 0, err
		}
		c.Advance(r.Start)
		if err := c.Detector.Put(r); err != nil {
			return 0, err
		}
		n++
	}
	c.Advance(c.Cursor)
	snapshot, err := c.Detector.MarshalBinary()
	if err != nil {
		return 0, err
	}
	return n, c.Detector.UnmarshalBinary(snapshot)
}

// BlockBits is the length of the prefixes by which a store was judged, as the names of its blocks say. Where the space is
// the only block it is otherwise or, if that is 0, the longest up to 24 that gives no other.
func (s *Store) BlockBits(otherwise int) (int, error) {
	names, err := s.Blocks()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if p, err := netip.ParsePrefix(name); err == nil && p.Addr().Is4() {
			return p.Bits(), nil
		}
	}
	if otherwise != 0 {
		return otherwise, nil
	}
	spaces, err := s.Spaces()
	if err != nil {
		return 0, err
	}
	bits := 24
	for len(names) == 1 && len(spaces) > 0 && bits > 1 && len(spaces[len(spaces)-1].Space.Groups(bits)) > 1 {
		bits--
	}
	return bits, nil
}
