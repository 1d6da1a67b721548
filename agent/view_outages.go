package agent

import (
	"fmt"
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	prettytext "github.com/jedib0t/go-pretty/v6/text"

	"brownout/probe"
	"brownout/probe/outage"
)

// truthOutage is an outage that a scenario holds.
type truthOutage struct {
	Block      string
	Kind       outage.State // Partial or Total
	Start, End probe.Instant
	Label      string // what else is to be said of it; may be empty
	Optional   bool   // finding it or not is right, and so is any kind
}

// pair is an outage that was found and the one that it is, either of which may be missing.
type pair struct {
	found *outage.Outage
	truth *truthOutage
}

// renderOutages writes the outages that were found beside those that there were.
func renderOutages(w io.Writer, found []outage.Outage, truth []truthOutage, color bool) {
	if len(found) == 0 && len(truth) == 0 {
		fmt.Fprintln(w, "No outage was found, and there was none.")
		return
	}
	t := table.NewWriter()
	t.SetStyle(outageStyle())
	t.SuppressTrailingSpaces()
	t.AppendHeader(table.Row{"outage", "", "found (UTC)", "earliest–latest", "truth", "verdict"})
	matched := pairs(found, truth)
	for i, x := range matched {
		if i > 0 {
			t.AppendSeparator()
		}
		for _, r := range x.lines() {
			t.AppendRow(r.cells(paint{color}))
		}
	}
	fmt.Fprintln(w, t.Render())
	fmt.Fprintln(w, tally(matched))
}

// outageStyle has no vertical lines, so that the table fits 80 columns.
func outageStyle() table.Style {
	s := table.StyleLight
	s.Format.Header = prettytext.FormatDefault
	s.Options.DrawBorder = false
	s.Options.SeparateColumns = false
	s.Box.PaddingLeft, s.Box.PaddingRight = "", "  "
	return s
}

// pairs matches what was found with what there was: of the same block, and overlapping; the longest overlap first.
func pairs(found []outage.Outage, truth []truthOutage) []pair {
	var out []pair
	taken := map[int]bool{}
	for i := range found {
		best, most := -1, int64(-1)
		for k := range truth {
			if o := shared(&found[i], &truth[k]); !taken[k] && o > most {
				best, most = k, o
			}
		}
		x := pair{found: &found[i]}
		if best >= 0 {
			taken[best] = true
			x.truth = &truth[best]
		}
		out = append(out, x)
	}
	for k := range truth {
		if !taken[k] {
			out = append(out, pair{truth: &truth[k]})
		}
	}
	slices.SortStableFunc(out, func(a, b pair) int { return int(a.start() - b.start()) })
	return out
}

// shared is for how many milliseconds both last; -1 where they do not meet.
func shared(o *outage.Outage, t *truthOutage) int64 {
	if o.Block != t.Block {
		return -1
	}
	end := outage.EndOfTime
	if o.End != nil {
		end = o.End.Latest
	}
	return max(int64(min(end, t.End)-max(o.Start.Earliest, t.Start)), -1)
}

func (x pair) start() probe.Instant {
	if x.truth != nil {
		return x.truth.Start
	}
	return x.found.Start.At
}

// tableLine is a line of the table: what of an outage, as found, and as it was.
type tableLine struct {
	name               row
	bound              string
	found, bounds, was string
	verdict            row
}

func (l tableLine) cells(p paint) table.Row {
	return table.Row{p.line(l.name), l.bound, l.found, l.bounds, l.was, p.line(l.verdict)}
}

// lines is the pair's start, end and duration.
func (x pair) lines() []tableLine {
	kind, block := x.names()
	lamp := looks[kind]
	lines := []tableLine{
		{name: styled(lamp.lamp+" "+stateWord(kind), lamp.style), bound: "start", verdict: x.general()},
		{name: words(block), bound: "end"},
		{bound: "lasted"},
	}
	if t := x.truth; t != nil {
		lines[0].was, lines[1].was, lines[2].was = clockOf(t.Start), clockOf(t.End), lasted(t.End-t.Start)
		if x.found == nil {
			lines[0].found = t.Start.Time().Format("2 Jan") + " —"
		}
		lines[2].bounds = t.Label
	}
	if x.found != nil {
		x.describe(lines)
	}
	return lines
}

// names is the kind and the block that head the pair.
func (x pair) names() (outage.State, string) {
	if x.found != nil {
		return x.found.Kind, x.found.Block
	}
	return x.truth.Kind, x.truth.Block
}

// general is the verdict on the pair as a whole.
func (x pair) general() row {
	switch {
	case x.found == nil && x.truth.Optional:
		return styled("· not found", faint)
	case x.found == nil:
		return styled("✗ missed", alarm)
	case x.truth == nil:
		return styled("✗ extra", alarm)
	}
	return nil
}

// describe fills in what was found, and how it compares.
func (x pair) describe(lines []tableLine) {
	start, end := x.bounds()
	lines[0].found, lines[0].bounds = dateOf(start.At), rangeWords(start)
	lines[1].found, lines[2].found = "ongoing", "ongoing"
	if end != nil {
		lines[1].found, lines[1].bounds = dateOf(end.At), rangeWords(*end)
		lines[2].found = lasted(end.At - start.At)
	}
	if start != x.found.Start {
		lines[2].bounds = looks[outage.Partial].lamp + " from " + clockOf(x.found.Start.At)
	}
	if x.truth == nil {
		return
	}
	lines[0].verdict = insideWord(holds(start, x.truth.Start))
	lines[1].verdict = insideWord(end != nil && holds(*end, x.truth.End))
	if x.wrongKind() {
		lines[2].verdict = styled("✗ was "+x.truth.Kind.String(), alarm)
	}
}

func holds(i outage.Interval, t probe.Instant) bool { return i.Earliest <= t && t <= i.Latest }

func rangeWords(i outage.Interval) string { return clockOf(i.Earliest) + "–" + clockOf(i.Latest) }

func insideWord(ok bool) row {
	if ok {
		return styled("✓ inside", blue)
	}
	return styled("✗ outside", alarm)
}

func (x pair) wrongKind() bool { return x.found.Kind != x.truth.Kind && !x.truth.Optional }

// bounds is the start and end of the found outage; of its total phases where it was total.
func (x pair) bounds() (start outage.Interval, end *outage.Interval) {
	start, end = x.found.Start, x.found.End
	if x.truth == nil || x.truth.Kind != outage.Total || x.found.Kind != outage.Total {
		return start, end
	}
	first := true
	for _, p := range x.found.Phases {
		if p.Kind != outage.Total {
			continue
		}
		if first {
			start, first = p.Start, false
		}
		end = p.End
	}
	return start, end
}

// right reports whether kind, start and end are as they were.
func (x pair) right() bool {
	start, end := x.bounds()
	return !x.wrongKind() && holds(start, x.truth.Start) && end != nil && holds(*end, x.truth.End)
}

// tally sums the pairs up in a line.
func tally(all []pair) string {
	var sure, right, missed, extra, optional, seen int
	for _, x := range all {
		switch {
		case x.truth == nil:
			extra++
		case x.truth.Optional:
			optional++
			if x.found != nil {
				seen++
			}
		default:
			sure++
			if x.found == nil {
				missed++
			} else if x.right() {
				right++
			}
		}
	}
	s := fmt.Sprintf("%d of %s; %d missed, %d extra", right, countOf(sure, "outage found as it was", "outages found as they were"), missed, extra)
	if optional > 0 {
		s += fmt.Sprintf("; %d of %d found that need not be", seen, optional)
	}
	return s + "."
}
