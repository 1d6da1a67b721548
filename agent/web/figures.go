package web

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"brownout/probe"
	"brownout/probe/outage"
)

// figure answers with a drawing: rate.svg, map.svg or address.svg.
func (h *handler) figure(a *answer) error {
	ink := lightInks
	if a.p.word("theme", "light", "dark") == "dark" {
		ink = darkInks
	}
	var draw func() (*svg, error)
	switch a.r.PathValue("name") {
	case "rate.svg":
		draw = h.rateFigure(a, ink)
	case "map.svg":
		draw = h.mapFigure(a, ink)
	case "address.svg":
		draw = h.addressFigure(a, ink)
	default:
		return notFound("there is no figure of that name; there are: rate.svg, map.svg, address.svg")
	}
	if err := a.p.done(); err != nil {
		return err
	}
	s, err := draw()
	if err != nil {
		return err
	}
	a.contentType("image/svg+xml")
	_, err = a.Write([]byte(s.String()))
	return err
}

// sourceLine is the line under every figure that says whose data it shows; r is the round shown, or the latest.
func (h *handler) sourceLine(r *probe.Round) string {
	return "Source: brownout" + atVantage(h.vantage(r)) + ", " + h.about().By() + ". Times are UTC."
}

// rateFigure draws a block's response rate and round-trip times over time.
func (h *handler) rateFigure(a *answer, ink inks) func() (*svg, error) {
	o := seriesOrder{block: cmp.Or(a.p.get("block"), outage.SpaceBlock), points: 800}
	now := probe.InstantOf(h.opt.Now())
	o.from, o.to = a.p.spanOr(now.Add(-dayMS), now)
	return func() (*svg, error) {
		s, err := h.readSeries(a, o)
		if err != nil {
			return nil, err
		}
		latest, err := h.latest()
		if err != nil {
			return nil, err
		}
		return drawRate(s, ink, blockName(o.block, spaceNameOf(latest)), h.sourceLine(latest)), nil
	}
}

func drawRate(s *Series, ink inks, name, source string) *svg {
	title := fmt.Sprintf("Response rate and round-trip times of %s", name)
	out := newSVG(900, 480, ink, title, "Share of the expected addresses that answer, and percentiles of round-trip times, over time")
	out.sized(20, 28, 16, "start", ink.text, title)
	out.sized(20, 47, 12, "start", ink.faint, stamp(s.Since)+" to "+stamp(s.Until))
	rate := &axis{x: 60, y: 64, w: 820, h: 200, from: s.Since, to: s.Until, top: 1.2}
	rtt := &axis{x: 60, y: 300, w: 820, h: 110, from: s.Since, to: s.Until, top: topOf(s)}
	out.hours(rate, false)
	out.hours(rtt, true)
	for _, v := range []float64{0, .5, 1} {
		out.line(rate.x, rate.py(v), rate.x+rate.w, rate.py(v), ink.grid)
		out.sized(rate.x-8, rate.py(v)+4, 11, "end", ink.faint, fmt.Sprintf("%.0f %%", v*100))
	}
	for _, v := range []float64{0, rtt.top / 2, rtt.top} {
		out.sized(rtt.x-8, rtt.py(v)+4, 11, "end", ink.faint, msWords(v))
	}
	out.shade(rate, s.States)
	out.shade(rtt, s.States)
	drawRates(out, rate, s)
	drawRTTs(out, rtt, s)
	out.sized(20, 446, 11, "start", ink.faint, "Line: all protocols. Thin lines: one protocol each, as a share of the same addresses. Solid shading: total. Hatched: partial. Grey: unknown.")
	out.sized(20, 464, 11, "start", ink.faint, source)
	return out
}

// msWords is microseconds as milliseconds of an axis.
func msWords(us float64) string { return strconv.FormatFloat(us/1000, 'f', -1, 64) + " ms" }

// topOf is the top of the axis of round-trip times, in microseconds: round, as its half is.
func topOf(s *Series) float64 {
	top := 1000.0
	for _, v := range s.RTT.P90 {
		if v != nil {
			top = max(top, float64(*v))
		}
	}
	for ten := 1000.0; ; ten *= 10 {
		for _, round := range []float64{1, 2, 4, 6, 8} {
			if round*ten >= top {
				return round * ten
			}
		}
	}
}

func drawRates(out *svg, a *axis, s *Series) {
	decimals := func(list []*outage.Decimal) func(int) (float64, bool) {
		return func(i int) (float64, bool) {
			if list[i] == nil {
				return 0, false
			}
			return list[i].Float(), true
		}
	}
	out.path(a.ribbon(s.Time, decimals(s.Lowest), decimals(s.Rate)), out.ink.low, "none", 0)
	for k, p := range s.Protocols {
		share := func(i int) (float64, bool) {
			if p.Answering[i] == nil || s.Expected[i] == nil || *s.Expected[i] == 0 {
				return 0, false
			}
			return p.Answering[i].Float() / s.Expected[i].Float(), true
		}
		out.path(a.curve(s.Time, share), "none", out.ink.protocol(k), 1)
	}
	right := a.x + a.w
	for k, p := range slices.Backward(s.Protocols) { // above the plot, where no line runs
		out.sized(right, a.y-8, 11, "end", out.ink.protocol(k), p.Protocol.String())
		right -= float64(len(p.Protocol.String()))*6.5 + 12
	}
	out.path(a.curve(s.Time, decimals(s.Rate)), "none", out.ink.line, 2.2)
}

func drawRTTs(out *svg, a *axis, s *Series) {
	of := func(list []*uint32) func(int) (float64, bool) {
		return func(i int) (float64, bool) {
			if list[i] == nil {
				return 0, false
			}
			return float64(*list[i]), true
		}
	}
	out.path(a.ribbon(s.Time, of(s.RTT.P10), of(s.RTT.P90)), out.ink.band, "none", 0)
	out.path(a.ribbon(s.Time, of(s.RTT.P25), of(s.RTT.P75)), out.ink.low, "none", 0)
	out.path(a.curve(s.Time, of(s.RTT.P50)), "none", out.ink.line, 1.6)
}

// mapFigure draws what every address did in the round at or before a moment.
func (h *handler) mapFigure(a *answer, ink inks) func() (*svg, error) {
	at := probe.InstantOf(h.opt.Now())
	if s := a.p.get("at"); s != "" {
		at = a.p.moment("at", s)
	}
	caption := a.p.word("caption", "false", "true") == "true"
	return func() (*svg, error) {
		r, err := h.roundAt(a, at)
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, notFound(fmt.Sprintf("no round is known from before %v", at))
		}
		usual, err := h.usual()
		if err != nil {
			return nil, err
		}
		return drawMap(r, usual, ink, caption, h.sourceLine(r)), nil
	}
}

// roundAt is the latest full round that began at or before a moment and is over; nil: there is none.
func (h *handler) roundAt(a *answer, at probe.Instant) (*probe.Round, error) {
	return firstWhole(a.rounds(h.src.Rounds(0, at.Add(1), true)), anyRound)
}

// firstWhole is the first of rounds that is a whole one and wanted; nil: there is none.
func firstWhole(rounds iter.Seq2[*probe.Round, error], want func(*probe.Round) bool) (*probe.Round, error) {
	for r, err := range rounds {
		if err != nil {
			return nil, err
		}
		if r.Whole() && want(r) {
			return r, nil
		}
	}
	return nil, nil
}

func anyRound(*probe.Round) bool { return true }

// usual is the addresses that usually answer by at least one protocol.
func (h *handler) usual() (map[netip.Addr]bool, error) {
	learned, err := h.src.Learned(0)
	if err != nil {
		return nil, err
	}
	return usualOf(learned.Detector), nil
}

func usualOf(d *outage.Detector) map[netip.Addr]bool {
	if d == nil {
		return nil
	}
	out := map[netip.Addr]bool{}
	for _, aim := range d.UsualServices() {
		for i := range aim.Targets.Len() {
			out[aim.Targets.Addr(i)] = true
		}
	}
	return out
}

func drawMap(r *probe.Round, usual map[netip.Addr]bool, ink inks, caption bool, source string) *svg {
	l := layoutOf(r.Space)
	const size, margin = 384.0, 18.0
	cell := size / float64(max(l.width, l.height))
	width, height := cell*float64(l.width)+2*margin, cell*float64(l.height)+2*margin+26
	if caption {
		height += 62
	}
	out := newSVG(width, height, ink, "The addresses in the round of "+stamp(r.Start), "One cell an address")
	out.text(margin, 24, "start", ink.text, "Round of "+stamp(r.Start))
	paths := map[string]*strings.Builder{}
	answering := 0
	for i, c := range cellsOf(r) {
		x, y := l.at(i)
		fill := fillOf(c, usual[r.Space.Addr(i)], ink)
		if c == cellAnswers {
			answering++
		}
		if paths[fill] == nil {
			paths[fill] = &strings.Builder{}
		}
		fmt.Fprintf(paths[fill], "M%.1f %.1fh%.1fv%.1fh-%.1fz", margin+cell*float64(x), margin+16+cell*float64(y), cell*.88, cell*.88, cell*.88)
	}
	for _, fill := range []string{ink.silent, ink.unknown, ink.unreachable, ink.missing, ink.answers} {
		if p := paths[fill]; p != nil {
			out.path(p.String(), fill, "none", 0)
			if fill == ink.missing {
				out.path(p.String(), "url(#missing)", "none", 0)
			}
		}
	}
	for _, label := range l.labels {
		x, y := margin+cell*float64(label.x)-cell*.06, margin+16+cell*float64(label.y)-cell*.06
		fmt.Fprintf(&out.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="none" stroke="%s"/>`, x, y, cell*label.side, cell*label.side, ink.faint)
		fmt.Fprintf(&out.b, `<rect x="%.1f" y="%.1f" width="27" height="14" fill="%s" fill-opacity=".6"/>`, x+.5, y+.5, ink.paper) // the addresses below it show
		out.sized(x+4, y+11.5, 10.5, "start", ink.text, label.text)
	}
	if caption {
		out.sized(margin, height-50, 11, "start", ink.faint, fmt.Sprintf("%s of %s answer (blue).", countWords(answering), addressesWords(r.Space.Len())))
		out.sized(margin, height-34, 11, "start", ink.faint, "Orange, hatched: silent, though it usually answers.")
		out.sized(margin, height-16, 8.5, "start", ink.faint, source)
	}
	return out
}

func fillOf(c byte, usual bool, ink inks) string {
	switch {
	case c == cellAnswers:
		return ink.answers
	case c == cellUnknown:
		return ink.unknown
	case usual:
		return ink.missing
	case c == cellUnreachable:
		return ink.unreachable
	}
	return ink.silent
}

func atVantage(name string) string {
	if name == "" {
		return ""
	}
	return " at " + name
}
