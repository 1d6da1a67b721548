package agent

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"brownout/probe/outage"
)

// style is how a span looks. Colours are xterm's 256, of which 0 means the terminal's own.
type style struct {
	fg, bg uint8
	bold   bool
}

// The palette is cividis-like: from blue to yellow with rising lightness, told apart by every kind of colour vision, and
// vermilion for what is missing. No state is told by its colour alone.
var (
	unstyled = style{}
	strong   = style{bold: true}
	faint    = style{fg: 245}
	blue     = style{fg: 74}
	amber    = style{fg: 221}
	alarm    = style{fg: 208, bold: true}
)

// look is how a state is shown: a lamp that is lit, half lit or dark, a mark for the timeline, and a colour.
type look struct {
	lamp, mark string
	style      style
}

var looks = [...]look{
	outage.Learning:     {"◍", "·", faint},
	outage.Unobservable: {"◌", "·", faint},
	outage.Up:           {"●", "─", blue},
	outage.Partial:      {"◐", "▒", style{fg: 221, bold: true}},
	outage.Total:        {"○", "█", alarm},
	outage.Unknown:      {"?", "?", style{fg: 250}},
}

// stateWord is a state's name; what is an outage shouts.
func stateWord(s outage.State) string {
	if s == outage.Partial || s == outage.Total {
		return strings.ToUpper(s.String())
	}
	return s.String()
}

// row is a line of the frame, of single-width glyphs only.
type row []span

type span struct {
	text  string
	style style
}

func words(s string) row           { return row{{s, unstyled}} }
func styled(s string, t style) row { return row{{s, t}} }

func (r row) width() int {
	n := 0
	for _, s := range r {
		n += utf8.RuneCountInString(s.text)
	}
	return n
}

// with is r followed by others.
func (r row) with(others ...row) row {
	out := append(row(nil), r...)
	for _, o := range others {
		out = append(out, o...)
	}
	return out
}

// fit is r made n wide: padded with blanks, or cut with an ellipsis.
func (r row) fit(n int) row {
	if w := r.width(); w <= n {
		return r.with(words(strings.Repeat(" ", n-w)))
	}
	var out row
	for _, s := range r {
		w := utf8.RuneCountInString(s.text)
		if w >= n {
			cut := []rune(s.text)[:max(n-1, 0)]
			return append(out, span{string(cut), s.style}, span{"…"[:min(n, 1)*len("…")], s.style})
		}
		out = append(out, s)
		n -= w
	}
	return out
}

// apart puts left and right at the ends of a line n wide; right gives way.
func apart(left, right row, n int) row {
	gap := n - left.width() - right.width()
	if gap < 1 {
		return left.fit(n)
	}
	return left.with(words(strings.Repeat(" ", gap)), right)
}

// paint turns rows into lines, with escape codes or without any.
type paint struct{ color bool }

func (p paint) line(r row) string {
	var b strings.Builder
	now := unstyled
	for _, s := range r {
		if p.color && s.style != now && s.text != "" {
			b.WriteString(s.style.code())
			now = s.style
		}
		b.WriteString(s.text)
	}
	if now != unstyled {
		b.WriteString(unstyled.code())
		return b.String()
	}
	return strings.TrimRight(b.String(), " ")
}

// code is the escape sequence that selects exactly this style (ECMA-48 SGR).
func (t style) code() string {
	s := "\x1b[0"
	if t.bold {
		s += ";1"
	}
	if t.fg != 0 {
		s += ";38;5;" + strconv.Itoa(int(t.fg))
	}
	if t.bg != 0 {
		s += ";48;5;" + strconv.Itoa(int(t.bg))
	}
	return s + "m"
}

// gauge is a gauge of n cells in eighths.
func gauge(share float64, n int, t style) row {
	eighths := int(min(max(share, 0), 1)*float64(8*n) + 0.5)
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	blank := strings.Repeat(" ", n-utf8.RuneCountInString(full))
	return styled("▕", faint).with(styled(full, t), words(blank), styled("▏", faint))
}
