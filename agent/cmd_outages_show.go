package agent

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"brownout/probe"
	"brownout/probe/outage"
)

func (a *app) outagesShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "Show one outage: phases, who was gone, evidence, revisions",
		Example: "  brownout outages show space-20141222T161531.000Z",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badUsage(c, "name one outage by its ID, as `brownout outages` lists it")
			}
			return nil
		},
	}
	q := a.queryOf(c, "table", "json", "csv")
	c.RunE = func(c *cobra.Command, args []string) error {
		var o outage.Outage
		return q.answer(c.Context(), "outages/"+url.PathEscape(args[0]), &o, func(bool) error {
			a.sheet(13).outage(&o)
			return nil
		})
	}
	return c
}

// sheet is named lines about one thing.
type sheet struct {
	w     io.Writer
	p     palette
	names int // columns for the names
}

func (a *app) sheet(names int) sheet { return sheet{a.stdout, a.paletteOf(a.stdout), names} }

const sheetWidth = 100 // columns

// line writes a value beside its name, broken at spaces where it is too long.
func (s sheet) line(name, format string, args ...any) {
	for _, l := range broken(fmt.Sprintf(format, args...), sheetWidth-s.names) {
		fmt.Fprintf(s.w, "%s%s\n", s.p.faint(fmt.Sprintf("%-*s", s.names, name)), l)
		name = ""
	}
}

// lines writes values below each other beside their name.
func (s sheet) lines(name string, values []string) {
	for _, v := range values {
		s.line(name, "%s", v)
		name = ""
	}
}

// broken is text in lines of at most so many columns; a longer word stands alone. Colours count as columns.
func broken(text string, columns int) []string {
	lines := []string{""}
	for _, word := range strings.Split(text, " ") {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) > columns:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	return lines
}

func (s sheet) outage(o *outage.Outage) {
	s.line("outage", "%s", o.ID)
	s.line("block", "%s", o.Block)
	if o.PartOf != nil {
		s.line("part of", "%s", *o.PartOf)
	}
	s.line("kind", "%s, %s", s.p.state(o.Kind), o.Status)
	s.line("start", "%s", between(o.Start))
	if o.End != nil {
		s.line("end", "%s", between(*o.End))
		s.line("lasted", "%s", lasted(o.End.At-o.Start.At))
	}
	s.extent(o)
	s.line("declared", "%s UTC", stamp(o.DeclaredAt))
	if o.Power != (outage.Power{}) { // an outage of before it was told
		s.line("detectable", "when it began: %s", powerWords(o.Power))
	}
	if o.UnstableFor > 0 {
		s.line("unstable", "for %s before", lasting(probe.Instant(o.UnstableFor)*1000))
	}
	if len(o.Conditions) > 0 {
		s.line("conditions", "%s", conditionWords(o.Conditions))
	}
	s.lines("revised", revisionsWords(o.Revisions))
	s.lines("phases", s.phases(o.Phases))
	var rounds []string
	for _, at := range o.Evidence {
		rounds = append(rounds, at.String())
	}
	s.lines("rounds", rounds)
}

// extent says how much of the block was out.
func (s sheet) extent(o *outage.Outage) {
	rest := "of the addresses"
	if len(o.Dark) > 0 {
		s.line("dark", "%s", strings.Join(wordsOf(o.Dark), ", "))
		rest = "of the rest"
	}
	if o.Kind == outage.Partial && o.Power != (outage.Power{}) {
		s.line("loss", "%s %s", percent(o.Loss), rest)
	}
	s.line("answering", "%d of %.1f expected at the worst (%s)", o.Observed, o.Expected.Float(), percent(o.ResponseRate))
	if len(o.Gone) > 0 {
		s.line("gone", "%s", abridged(o.Gone, 8))
	}
	if len(o.Protocols) > 0 {
		s.line("protocols", "%s", strings.Join(o.Protocols, ", "))
	}
}

func (s sheet) phases(list []outage.Phase) (out []string) {
	for _, ph := range list {
		end := "now"
		if ph.End != nil {
			end = bounded(*ph.End)
		}
		out = append(out, fmt.Sprintf("%s from %s to %s", s.p.state(ph.Kind), bounded(ph.Start), end))
	}
	return out
}

func between(i outage.Interval) string {
	return fmt.Sprintf("%s UTC, between %s and %s", stamp(i.At), stamp(i.Earliest), stamp(i.Latest))
}

// powerWords says what could be detected.
func powerWords(p outage.Power) string {
	switch {
	case p.TotalAfter == 0:
		return "nothing for certain"
	case p.PartialAfter == 0:
		return fmt.Sprintf("a total outage only, within %s", soon(p.TotalAfter))
	}
	return fmt.Sprintf("a drop of %s or more within %s, a total outage within %s", percent(p.SmallestDrop), soon(p.PartialAfter), soon(p.TotalAfter))
}

// revisionsWords says each later finding in a line.
func revisionsWords(list []outage.Revision) (out []string) {
	for _, r := range list {
		line := fmt.Sprintf("%s, found at %s UTC: %s", conditionWord(r.Finding), stamp(r.At), verdictWords(r.Kind))
		if len(r.Addresses) > 0 {
			line += "; " + abridged(r.Addresses, 4) + " answered"
		}
		if len(r.Rounds) > 0 {
			line += "; rounds " + abridged(r.Rounds, 4)
		}
		out = append(out, line)
	}
	return out
}

// verdictWords says what an outage is held to have been.
func verdictWords(s outage.State) string {
	if s == outage.Up {
		return "it was no outage"
	}
	return "it was " + s.String()
}

// mostNamed is how many addresses a record names at most: there may be more of them.
const mostNamed = 64

// abridged is the first of a list, and how many more there are.
func abridged[T fmt.Stringer](list []T, most int) string { return abridgedWords(wordsOf(list), most) }

func abridgedWords(words []string, most int) string {
	if len(words) <= most+1 {
		return strings.Join(words, ", ")
	}
	more := fmt.Sprintf("%d more", len(words)-most)
	if len(words) == mostNamed {
		more = "at least " + more
	}
	return strings.Join(words[:most], ", ") + " and " + more
}

func wordsOf[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}
