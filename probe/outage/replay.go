package outage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"brownout/probe"
)

// History is what was found of a stretch of time.
type History struct {
	Changes []Change
	Until   probe.Instant // the end of what was observed
	Judged  probe.Instant // the end of what was judged of it
	outages map[string]Outage
}

// Add takes in findings, in order.
func (h *History) Add(f Findings) {
	if h.outages == nil {
		h.outages = map[string]Outage{}
	}
	h.Changes = append(h.Changes, f.Changes...)
	for _, o := range f.Outages {
		h.outages[o.ID] = o
	}
}

// Outages is the outages by start: the space's, or those of all blocks. It is never nil.
func (h *History) Outages(blocks bool) []Outage {
	out := []Outage{}
	for _, o := range h.outages {
		if blocks || o.Block == SpaceBlock {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, CompareOutages)
	return out
}

// CompareOutages orders by start, the space before its blocks.
func CompareOutages(a, b Outage) int {
	return cmp.Or(cmp.Compare(a.Start.At, b.Start.At), compareBlocks(a.Block, b.Block), cmp.Compare(a.ID, b.ID))
}

func compareBlocks(a, b string) int {
	if (a == SpaceBlock) != (b == SpaceBlock) {
		if a == SpaceBlock {
			return -1
		}
		return 1
	}
	return cmp.Compare(a, b)
}

// Stretch is a time in which a block was in one state.
type Stretch struct {
	Block string        `json:"block"`
	State State         `json:"state"`
	Start probe.Instant `json:"start"`
	End   probe.Instant `json:"end"`
}

// Timeline turns changes, in the order they were declared, into contiguous stretches up to until, block by block, the
// space first.
func Timeline(changes []Change, until probe.Instant) []Stretch {
	byBlock := map[string][]Stretch{}
	var names []string
	for _, c := range changes {
		if _, ok := byBlock[c.Block]; !ok {
			names = append(names, c.Block)
		}
		byBlock[c.Block] = amend(byBlock[c.Block], c)
	}
	slices.SortFunc(names, compareBlocks)
	out := []Stretch{}
	for _, name := range names {
		out = append(out, closed(byBlock[name], until)...)
	}
	return out
}

// amend says the state anew from the change on.
func amend(list []Stretch, c Change) []Stretch {
	for len(list) > 0 && list[len(list)-1].Start >= c.Since {
		list = list[:len(list)-1]
	}
	if n := len(list); n > 0 && list[n-1].State == c.State {
		return list
	}
	return append(list, Stretch{Block: c.Block, State: c.State, Start: c.Since})
}

func closed(list []Stretch, until probe.Instant) []Stretch {
	for i := range list {
		if i+1 < len(list) {
			list[i].End = list[i+1].Start
		} else {
			list[i].End = max(until, list[i].Start)
		}
	}
	return slices.DeleteFunc(list, func(s Stretch) bool { return s.Start == s.End })
}

// RoundSource yields rounds in order of their start, and io.EOF after the last.
type RoundSource interface {
	Next() (*probe.Round, error)
}

// Replay judges all rounds of a source, or none: an error of the source is returned with no history. Where the last round
// says up to when it was judged, the replay stops there too.
func Replay(cfg Config, in RoundSource) (*History, error) {
	d := New(cfg)
	h := &History{}
	until := EndOfTime
	for {
		r, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		h.Add(d.Advance(r.Start))
		if err := d.Put(r); err != nil {
			return nil, fmt.Errorf("judge rounds: %w", err)
		}
		until = EndOfTime
		if r.Until != 0 {
			until = r.Until
		}
		h.Until = max(h.Until, r.End)
	}
	h.Add(d.Advance(until))
	if h.Judged = until; until == EndOfTime {
		h.Judged = h.Until
	}
	return h, nil
}
