package web

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// said is what was said of a block, or of all, corrected sayings included.
func (h *handler) said(block string) ([]outage.Change, error) {
	names, err := h.src.Blocks()
	if err != nil {
		return nil, err
	}
	if block != "" {
		if !slices.Contains(names, block) {
			return nil, notFound(fmt.Sprintf("there is no block %q; there are: %s", block, words(names)))
		}
		names = []string{block}
	}
	all := []outage.Change{}
	for _, name := range names {
		said, err := h.src.Said(name)
		if err != nil {
			return nil, err
		}
		all = append(all, said...)
	}
	return all, nil
}

// changes answers with every saying, in the order of being said, block by block.
func (h *handler) changes(a *answer) error {
	format, block := a.p.format(), a.p.get("block")
	from, to := a.p.span()
	if err := a.p.done(); err != nil {
		return err
	}
	all, err := h.said(block)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c outage.Change) bool { return c.Since < from || c.Since >= to })
	return list(a, format, changeColumns, each(all))
}

var changeColumns = []column[outage.Change]{
	{"block", func(c *outage.Change) string { return c.Block }},
	{"state", func(c *outage.Change) string { return c.State.String() }},
	{"since", func(c *outage.Change) string { return c.Since.String() }},
	{"declared_at", func(c *outage.Change) string { return c.DeclaredAt.String() }},
	{"reason", func(c *outage.Change) string { return c.Reason }},
}

// states answers with the contiguous states, as they stand corrected.
func (h *handler) states(a *answer) error {
	format, block := a.p.format(), a.p.get("block")
	from, to := a.p.span()
	if err := a.p.done(); err != nil {
		return err
	}
	all, err := h.said(block)
	if err != nil {
		return err
	}
	until, err := h.observed()
	if err != nil {
		return err
	}
	return list(a, format, stateColumns, each(cut(outage.Timeline(all, until), from, to)))
}

// observed is the end of what was observed: no round ends after the latest full one and those that began after it.
func (h *handler) observed() (probe.Instant, error) {
	var until probe.Instant
	for r, err := range h.src.Rounds(0, outage.EndOfTime, true) {
		if err != nil {
			return 0, err
		}
		until = max(until, r.End)
		if r.Kind == probe.Full {
			break
		}
	}
	return until, nil
}

// began is the beginning of what was observed.
func (h *handler) began() (probe.Instant, error) {
	for r, err := range h.src.Rounds(0, outage.EndOfTime, false) {
		if err != nil {
			return 0, err
		}
		return r.Start, nil
	}
	return 0, nil
}

// cut is the part of the stretches that lies within from and to.
func cut(all []outage.Stretch, from, to probe.Instant) []outage.Stretch {
	out := []outage.Stretch{}
	for _, s := range all {
		s.Start, s.End = max(s.Start, from), min(s.End, to)
		if s.Start < s.End {
			out = append(out, s)
		}
	}
	return out
}

// WriteStatesCSV writes stretches one a row.
func WriteStatesCSV(w io.Writer, list []outage.Stretch) error {
	return writeCSV(w, stateColumns, each(list))
}

var stateColumns = []column[outage.Stretch]{
	{"block", func(s *outage.Stretch) string { return s.Block }},
	{"state", func(s *outage.Stretch) string { return s.State.String() }},
	{"start", func(s *outage.Stretch) string { return s.Start.String() }},
	{"end", func(s *outage.Stretch) string { return s.End.String() }},
}

func (h *handler) summaries(a *answer) error {
	format, block := a.p.format(), cmp.Or(a.p.get("block"), outage.SpaceBlock)
	by := a.p.word("by", "round", "hour", "day")
	from, to := a.p.span()
	if err := a.p.done(); err != nil {
		return err
	}
	if by != "round" {
		return h.hours(a, format, block, from, to, by == "day")
	}
	all, err := h.src.Summaries(block, from, to)
	if err != nil {
		return err
	}
	return list(a, format, summaryColumns, each(all))
}

var summaryColumns = append([]column[outage.Summary]{
	{"block", func(s *outage.Summary) string { return s.Block }},
	{"start", func(s *outage.Summary) string { return s.Start.String() }},
	{"end", func(s *outage.Summary) string { return s.End.String() }},
	{"kind", func(s *outage.Summary) string { return s.Kind.String() }},
	{"state", func(s *outage.Summary) string { return s.State.String() }},
	{"expected", func(s *outage.Summary) string { return s.Expected.String() }},
	{"observed", func(s *outage.Summary) string { return fmt.Sprint(s.Observed) }},
	{"responsive", func(s *outage.Summary) string { return fmt.Sprint(s.Responsive) }},
	{"targets", func(s *outage.Summary) string { return fmt.Sprint(s.Targets) }},
}, rttColumns(func(s *outage.Summary) *[5]uint32 { return &s.RTT })...)

// rttColumns are the percentiles of round-trip times.
func rttColumns[T any](of func(*T) *[5]uint32) []column[T] {
	var out []column[T]
	for i, name := range []string{"rtt_us_p10", "rtt_us_p25", "rtt_us_p50", "rtt_us_p75", "rtt_us_p90"} {
		out = append(out, column[T]{name, func(v *T) string { return fmt.Sprint(of(v)[i]) }})
	}
	return out
}
