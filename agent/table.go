package agent

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"brownout/probe"
	"brownout/probe/outage"
)

// palette colours words, on a terminal only.
type palette struct{ on bool }

// paletteOf is the palette for a stream. NO_COLOR (no-color.org) and TERM=dumb are honoured.
func (a *app) paletteOf(w io.Writer) palette {
	return palette{a.drawsOver(w) && variable(a.env, "NO_COLOR") == ""}
}

func isTerminal(w io.Writer) bool {
	f, ok := fileOf(w)
	return ok && term.IsTerminal(int(f.Fd()))
}

// drawsOver reports whether what was written to w can be drawn over.
func (a *app) drawsOver(w io.Writer) bool { return isTerminal(w) && variable(a.env, "TERM") != "dumb" }

// fileOf is the file behind a stream, if there is one.
func fileOf(w io.Writer) (*os.File, bool) {
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	f, ok := w.(*os.File)
	return f, ok
}

// output is standard output. It remembers that it failed, for those who print a table piece by piece.
type output struct {
	io.Writer
	failed error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	o.failed = cmp.Or(o.failed, err)
	return n, err
}

func (p palette) paint(s string, colors ...text.Color) string {
	if !p.on {
		return s
	}
	return text.Colors(colors).Sprint(s)
}

// state is the word for a state, in its colour.
func (p palette) state(s outage.State) string {
	switch s {
	case outage.Up:
		return p.paint(s.String(), text.FgGreen)
	case outage.Partial:
		return p.paint(s.String(), text.FgYellow)
	case outage.Total:
		return p.paint(s.String(), text.FgRed, text.Bold)
	}
	return p.paint(s.String(), text.Faint)
}

func (p palette) faint(s string) string { return p.paint(s, text.Faint) }

// newTable is a table of ours: no frame, columns two spaces apart, headings underlined by nothing.
func (a *app) newTable(heads ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(a.stdout)
	style := table.StyleLight
	style.Options = table.Options{}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header, style.Format.HeaderAlign = text.FormatDefault, text.AlignDefault
	if a.paletteOf(a.stdout).on {
		style.Color.Header = text.Colors{text.Faint}
	}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	t.AppendHeader(heads)
	return t
}

// rightAligned aligns columns, counted from 1, to the right: numbers.
func rightAligned(t table.Writer, columns ...int) {
	configs := make([]table.ColumnConfig, len(columns))
	for i, n := range columns {
		configs[i] = table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight}
	}
	t.SetColumnConfigs(configs)
}

// printable is a text of others without what would move the cursor.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return '?'
		}
		return c
	}, s)
}

// stamp is a time for people: UTC, to the second.
func stamp(t probe.Instant) string { return t.Time().Format("2006-01-02 15:04:05") }

// bounded is the most likely instant and how far it may be off, to whole seconds rounded up.
func bounded(i outage.Interval) string {
	return fmt.Sprintf("%s %s", stamp(i.At), spread(i))
}

// spread is "-12s +3s": from the earliest to the latest, about the most likely instant.
func spread(i outage.Interval) string {
	return fmt.Sprintf("-%s +%s", lasting(i.At-i.Earliest), lasting(i.Latest-i.At))
}

// lasted is how long something took, to the nearest second, as the page and CODF have it.
func lasted(ms probe.Instant) string { return lasting((ms + 500) / 1000 * 1000) }

// lasting is milliseconds as a short duration, rounded up to whole seconds: a bound.
func lasting(ms probe.Instant) string {
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	d := (ms + 999) / 1000
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/hour)
	case d >= hour:
		return fmt.Sprintf("%dh%02dm", d/hour, d%hour/minute)
	case d >= minute:
		return fmt.Sprintf("%dm%02ds", d/minute, d%minute)
	}
	return fmt.Sprintf("%ds", d)
}

// percent is a rate for people; a little more than expected is all of it.
func percent(d outage.Decimal) string { return fmt.Sprintf("%.0f%%", min(d.Float(), 1)*100) }

// soon is how long something takes at most, without seconds that are none.
func soon(s outage.Seconds) string {
	return strings.TrimSuffix(strings.TrimSuffix(lasting(probe.Instant(s)*1000), "00s"), "00m")
}

// countOf is "1 outage", "2 outages".
func countOf(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}
