package agent

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

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

// columns are rows in columns that are two spaces apart, without a frame. A year of an address has two hundred thousand of them.
type columns struct {
	to    io.Writer
	heads []string
	right []bool // columns of numbers
	wide  []int  // columns' widths so far
	cells []string
}

func (a *app) newColumns(heads ...string) *columns {
	t := &columns{to: a.stdout, right: make([]bool, len(heads)), wide: make([]int, len(heads))}
	p := a.paletteOf(a.stdout)
	for i, h := range heads {
		t.heads = append(t.heads, p.faint(h))
		t.wide[i] = width(h)
	}
	return t
}

// alignRight aligns columns, counted from 0, to the right.
func (t *columns) alignRight(columns ...int) {
	for _, i := range columns {
		t.right[i] = true
	}
}

// row adds a cell for each column.
func (t *columns) row(cells ...string) {
	for i, c := range cells {
		t.wide[i] = max(t.wide[i], width(c))
	}
	if len(t.cells)+len(cells) > cap(t.cells) {
		t.cells = slices.Grow(t.cells, len(t.cells)+len(cells)) // append alone would copy a long table five times
	}
	t.cells = append(t.cells, cells...)
}

// print writes them.
func (t *columns) print() {
	b := bufio.NewWriter(t.to) // the stream remembers what fails
	t.line(b, t.heads)
	for row := range slices.Chunk(t.cells, len(t.heads)) {
		t.line(b, row)
	}
	b.Flush()
}

func (t *columns) line(b *bufio.Writer, cells []string) {
	room := 0 // what is to come before the next text, so that no line ends in spaces
	for i, c := range cells {
		spare := t.wide[i] - width(c)
		if t.right[i] {
			room += spare
		}
		if c != "" {
			for ; room > 0; room-- {
				b.WriteByte(' ')
			}
			b.WriteString(c)
		}
		if !t.right[i] {
			room += spare
		}
		room += 2
	}
	b.WriteByte('\n')
}

// width is how many columns of a terminal a text takes.
func width(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return text.StringWidthWithoutEscSequences(s)
		}
	}
	return len(s)
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
