package web

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

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
		if err := oneOfBlocks(block, names); err != nil {
			return nil, err
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

// isBlock is a problem where there is no such block.
func (h *handler) isBlock(block string) error {
	names, err := h.src.Blocks()
	if err != nil {
		return err
	}
	return oneOfBlocks(block, names)
}

// oneOfBlocks is a problem where a block is none of those named. The space is one, even before anything was measured.
func oneOfBlocks(block string, names []string) error {
	if block == outage.SpaceBlock || slices.Contains(names, block) {
		return nil
	}
	if len(names) == 0 {
		names = []string{outage.SpaceBlock}
	}
	const shown = 16
	more := ""
	if n := len(names) - shown; n > 0 {
		names, more = names[:shown], fmt.Sprintf(" and %d more", n)
	}
	return notFound(fmt.Sprintf("there is no block %q; there are: %s%s", block, strings.Join(names, ", "), more))
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
	return whole(a, format, changeColumns, all)
}

var changeColumns = []column[outage.Change]{
	text("block", func(c *outage.Change) string { return c.Block }),
	word("state", func(c *outage.Change) outage.State { return c.State }),
	value("since", func(c *outage.Change) probe.Instant { return c.Since }),
	value("declared_at", func(c *outage.Change) probe.Instant { return c.DeclaredAt }),
	text("reason", func(c *outage.Change) string { return c.Reason }),
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
	return whole(a, format, stateColumns, cut(outage.Timeline(all, until), from, to))
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
	text("block", func(s *outage.Stretch) string { return s.Block }),
	word("state", func(s *outage.Stretch) outage.State { return s.State }),
	value("start", func(s *outage.Stretch) probe.Instant { return s.Start }),
	value("end", func(s *outage.Stretch) probe.Instant { return s.End }),
}

func (h *handler) summaries(a *answer) error {
	format, block := a.p.format(), cmp.Or(a.p.get("block"), outage.SpaceBlock)
	by := a.p.word("by", "round", "hour", "day")
	from, to := a.p.span()
	limit := a.p.limit(mostRows)
	if err := a.p.done(); err != nil {
		return err
	}
	if err := h.isBlock(block); err != nil {
		return err
	}
	if by != "round" {
		return h.hours(a, format, block, from, to, by == "day", limit)
	}
	all, err := h.src.Summaries(block, from, to)
	if err != nil {
		return err
	}
	return whole(a, format, summaryColumns, latest(all, limit))
}

var summaryColumns = append([]column[outage.Summary]{
	text("block", func(s *outage.Summary) string { return s.Block }),
	value("start", func(s *outage.Summary) probe.Instant { return s.Start }),
	value("end", func(s *outage.Summary) probe.Instant { return s.End }),
	word("kind", func(s *outage.Summary) probe.Kind { return s.Kind }),
	word("state", func(s *outage.Summary) outage.State { return s.State }),
	value("expected", func(s *outage.Summary) outage.Decimal { return s.Expected }),
	count("observed", func(s *outage.Summary) int { return s.Observed }),
	count("responsive", func(s *outage.Summary) int { return s.Responsive }),
	count("targets", func(s *outage.Summary) int { return s.Targets }),
}, rttColumns(func(s *outage.Summary) *[5]uint32 { return &s.RTT })...)

var rttNames = [...]string{"rtt_us_p10", "rtt_us_p25", "rtt_us_p50", "rtt_us_p75", "rtt_us_p90"}

// rttColumns are the percentiles of round-trip times; nil: there are none.
func rttColumns[T any](of func(*T) *[5]uint32) []column[T] {
	var out []column[T]
	for i, name := range rttNames {
		out = append(out, maybe(name, func(v *T) *uint32 {
			if rtts := of(v); rtts != nil {
				return &rtts[i]
			}
			return nil
		}, addUint))
	}
	return out
}
