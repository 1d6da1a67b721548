package web

import (
	"fmt"
	"html"
	"strings"

	"brownout/probe"
	"brownout/probe/outage"
)

// svg writes a figure that stands alone: no style sheet, no font and no script but the viewer's own.
type svg struct {
	b    strings.Builder
	w, h float64
	ink  inks
}

// inks are a figure's colours. They can be told apart without colour vision, and every state has a pattern besides.
type inks struct {
	paper, text, faint, grid string
	line, band, low          string
	partial, total, unknown  string
	answers, missing         string
	silent, unreachable      string
	protocols                []string
}

// protocol is the colour of the kth protocol.
func (i *inks) protocol(k int) string { return i.protocols[k%len(i.protocols)] }

var lightInks = inks{
	paper: "#fffdf8", text: "#1d2329", faint: "#5b6570", grid: "#e4e0d6", line: "#0b4f8a", band: "#dfe8ef", low: "#8fb3d1",
	partial: "#c77700", total: "#8c1d2f", unknown: "#8b929b", answers: "#0b4f8a", missing: "#d9480f", silent: "#eae6db", unreachable: "#b08bbf",
	protocols: []string{"#7a5195", "#00796b", "#b35806", "#4d6a1f", "#c2417c"},
}

var darkInks = inks{
	paper: "#14181d", text: "#e8eaed", faint: "#a3acb6", grid: "#2c333b", line: "#7db8ea", band: "#223140", low: "#3f6a8f",
	partial: "#f0a63a", total: "#ef7d8e", unknown: "#7c858f", answers: "#7db8ea", missing: "#ff8a4c", silent: "#262c33", unreachable: "#a783b8",
	protocols: []string{"#c9a4e6", "#5ec8b8", "#f0a869", "#b3cf78", "#f08ab8"},
}

func newSVG(w, h float64, ink inks, title, description string) *svg {
	s := &svg{w: w, h: h, ink: ink}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" font-family="system-ui, sans-serif" font-size="13">`, w, h, w, h)
	fmt.Fprintf(&s.b, "<title>%s</title><desc>%s</desc>", html.EscapeString(title), html.EscapeString(description))
	s.b.WriteString(`<defs>`)
	for name, color := range map[string]string{"partial": ink.partial, "missing": ink.paper} {
		fmt.Fprintf(&s.b, `<pattern id="%s" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" fill="%s" opacity=".12"/><path d="M0 0v7" stroke="%s" stroke-width="3" opacity=".6"/></pattern>`, name, color, color)
	}
	s.b.WriteString(`</defs>`)
	s.rect(0, 0, w, h, ink.paper)
	return s
}

func (s *svg) rect(x, y, w, h float64, fill string) {
	fmt.Fprintf(&s.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x, y, w, h, fill)
}

func (s *svg) line(x1, y1, x2, y2 float64, stroke string) {
	fmt.Fprintf(&s.b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="%s"/>`, x1, y1, x2, y2, stroke)
}

// text writes a line; anchor is start, middle or end.
func (s *svg) text(x, y float64, anchor, fill, text string) { s.sized(x, y, 13, anchor, fill, text) }

func (s *svg) sized(x, y, size float64, anchor, fill, text string) {
	fmt.Fprintf(&s.b, `<text x="%.1f" y="%.1f" font-size="%g" text-anchor="%s" fill="%s">%s</text>`, x, y, size, anchor, fill, html.EscapeString(text))
}

func (s *svg) path(d, fill, stroke string, width float64) {
	if d != "" {
		fmt.Fprintf(&s.b, `<path d="%s" fill="%s" stroke="%s" stroke-width="%g" stroke-linejoin="round"/>`, d, fill, stroke, width)
	}
}

func (s *svg) String() string { return s.b.String() + "</svg>\n" }

// axis maps times and values to a box.
type axis struct {
	x, y, w, h float64
	from, to   probe.Instant
	top        float64 // the largest value
}

func (a *axis) px(t probe.Instant) float64 {
	return a.x + a.w*min(max(float64(t-a.from)/float64(max(a.to-a.from, 1)), 0), 1)
}

func (a *axis) py(v float64) float64 { return a.y + a.h*(1-min(v/a.top, 1)) }

// curve is a line that breaks where nothing is known. What stands alone is a short stroke.
func (a *axis) curve(times []int64, value func(i int) (float64, bool)) string {
	var b strings.Builder
	pen := false
	for i, t := range times {
		v, ok := value(i)
		if !ok {
			pen = false
			continue
		}
		command := "L"
		if !pen {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, a.px(probe.Instant(t)), a.py(v))
		if !pen && !knownAt(value, i+1, len(times)) {
			b.WriteString("h1.5")
		}
		pen = true
	}
	return b.String()
}

func knownAt(value func(int) (float64, bool), i, n int) bool {
	if i >= n {
		return false
	}
	_, ok := value(i)
	return ok
}

// ribbon is the area between two curves.
func (a *axis) ribbon(times []int64, low, high func(i int) (float64, bool)) string {
	var b strings.Builder
	for i := 0; i < len(times); {
		k := i
		for k < len(times) && has(low, high, k) {
			k++
		}
		if k > i+1 {
			command := "M"
			for j := i; j < k; j++ {
				v, _ := high(j)
				fmt.Fprintf(&b, "%s%.1f %.1f", command, a.px(probe.Instant(times[j])), a.py(v))
				command = "L"
			}
			for j := k - 1; j >= i; j-- {
				v, _ := low(j)
				fmt.Fprintf(&b, "L%.1f %.1f", a.px(probe.Instant(times[j])), a.py(v))
			}
			b.WriteString("Z")
		}
		i = max(k, i+1)
	}
	return b.String()
}

func has(low, high func(int) (float64, bool), i int) bool {
	_, a := low(i)
	_, b := high(i)
	return a && b
}

// shade marks the states of a time behind a plot: total solid, partial hatched, unknown grey.
func (s *svg) shade(a *axis, states []outage.Stretch) {
	for _, st := range states {
		x := a.px(st.Start)
		w := max(a.px(st.End)-x, 1.5)
		switch st.State {
		case outage.Total:
			fmt.Fprintf(&s.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" opacity=".35"/>`, x, a.y, w, a.h, s.ink.total)
		case outage.Partial:
			s.rect(x, a.y, w, a.h, "url(#partial)")
		case outage.Unknown:
			fmt.Fprintf(&s.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" opacity=".25"/>`, x, a.y, w, a.h, s.ink.unknown)
		}
	}
}

// hours draws the time axis under a plot.
func (s *svg) hours(a *axis, below bool) {
	step := tickStep(int64(a.to-a.from) / 6)
	for t := a.from + probe.Instant(step) - a.from%probe.Instant(step); t < a.to; t = t.Add(step) {
		x := a.px(t)
		s.line(x, a.y, x, a.y+a.h, s.ink.grid)
		if below {
			layout := "15:04"
			if step >= dayMS || t%dayMS == 0 {
				layout = "2 Jan"
			}
			s.sized(x, a.y+a.h+16, 11, "middle", s.ink.faint, t.Time().Format(layout))
		}
	}
}

// tickStep is the next length of time that people count in.
func tickStep(ms int64) int64 {
	const minute = 60_000
	for _, m := range []int64{1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 30 * 1440, 60 * 1440} {
		if ms <= m*minute {
			return m * minute
		}
	}
	return 90 * dayMS
}
