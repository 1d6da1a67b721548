package agent

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"brownout/probe"
	"brownout/probe/outage"
)

// Sizes of the frame, in cells.
const (
	margin    = 6 // for the labels of the map and the strips
	mostCols  = 160
	leastCols = 40
	leastRows = 8
	panelGap  = 2
	leastSide = 40 // of the panel beside the map
	beside    = margin + panelGap + leastSide

	belowStrip  = 2  // the states and the axis
	leastMiddle = 12 // rows beside a small map
)

// layout is the frame for a terminal of cols by rows, whose last row it leaves free.
func layout(m *viewModel, cols, rows int, p paint) []string {
	cols, rows = min(max(cols, leastCols), mostCols), max(rows, leastRows)-1
	out := []row{headRow(m, cols), stateRow(m, cols)}
	height := stripHeight(m.hosts, cols, rows)
	room := rows - len(out) - height - belowStrip
	middle := middleRows(m, cols, room, p.color)
	if len(middle) < room {
		out = append(out, nil)
	}
	out = append(out, middle...)
	if len(middle)+1 < room {
		out = append(out, nil)
	}
	out = append(out, stripRows(m, cols, height)...)
	lines := make([]string, 0, rows)
	for _, r := range out[:min(len(out), rows)] {
		lines = append(lines, p.line(r.fit(cols)))
	}
	return lines
}

// stripHeight is how many rows the response rate is drawn in: what the map leaves, and little where that lets the wide
// map in.
func stripHeight(h *hostMap, cols, rows int) int {
	const most, others = 5, 2 + 1 + belowStrip // the head, the map's legend, and what is below the strip
	if g := gridFor(h, cols-beside, rows-others-1); g.wide {
		return min(max(rows-others-2-max(g.down, leastMiddle), 1), most)
	}
	return min(max((rows-20)/3, 1), most)
}

// headRow is what is shown, and the simulated time, speed and progress.
func headRow(m *viewModel, cols int) row {
	left := styled(m.title, strong)
	if s := m.space.String(); len(s) <= 40 {
		left = left.with(styled("  "+s, faint))
	}
	right := m.now.Time().Format("2 Jan 2006 15:04:05 UTC")
	if m.speed >= 1.5 {
		right += "  " + speedWords(m.speed)
	}
	if p := m.progress(); p >= 0 {
		right += fmt.Sprintf("  %3.0f%%", 100*p)
	}
	if len([]rune(right))+left.width()+1 > cols {
		left = left[:1]
	}
	return apart(left, words(right), cols)
}

// speedWords is a speed in two figures.
func speedWords(speed float64) string {
	unit := math.Pow(10, max(math.Floor(math.Log10(speed))-1, 0))
	return thousands(int(math.Round(speed/unit)*unit)) + "x"
}

// stateRow is the state of the space in a shape, a word, a bar and numbers.
func stateRow(m *viewModel, cols int) row {
	s := whole(m.blocks)
	l := looks[s.State]
	if len(m.blocks) == 0 {
		return styled("waiting for the first round", faint)
	}
	head := styled(l.lamp+" "+stateWord(s.State), style{fg: l.style.fg, bold: true})
	if s.State >= outage.Partial {
		head = head.with(words(" since " + clockOf(s.Since)))
	}
	notes := row{}
	if len(s.Conditions) > 0 {
		notes = styled("  "+conditionWords(s.Conditions), style{fg: amber.fg, bold: true})
	}
	answers := words("  " + answering(s))
	if left := cols - head.width() - answers.width() - notes.width() - 4; s.Expected > 0 && left >= 8 {
		return head.with(words("  "), gauge(s.ResponseRate.Float(), min(left, 40), l.style), answers, notes)
	}
	return head.with(answers, notes)
}

// middleRows is the map with its legend, and beside it the blocks and the log: at most room rows.
func middleRows(m *viewModel, cols, room int, color bool) []row {
	g := gridFor(m.hosts, cols-beside, room-1)
	if g.none() {
		return panelRows(m, cols, room)
	}
	if m.round != nil {
		m.hosts.absorb(m.round)
	}
	rows, legend := g.draw(m.hosts, color)
	height := max(len(rows), min(leastMiddle, room-1))
	side := panelRows(m, cols-margin-g.width()-panelGap, height)
	out := make([]row, 0, room)
	for i := range height {
		left := words("")
		if i < len(rows) {
			left = rows[i]
		}
		left = left.fit(margin + g.width())
		if i < len(side) {
			left = left.with(words("  "), side[i])
		}
		out = append(out, left)
	}
	return append(out, legend)
}

// panelRows is the blocks, the round under way and the log.
func panelRows(m *viewModel, cols, rows int) []row {
	out := blockRows(m, cols, max(rows/3, 4))
	if r := roundRow(m); r != nil && rows >= len(out)+4 {
		out = append(out, r)
	}
	if rows > len(out)+2 {
		out = append(out, nil)
	}
	out = append(out, logRows(m, cols, rows-len(out))...)
	return out[:min(len(out), rows)]
}

// blockRows is a line a block: all of them, or those in trouble first and a count of the others.
func blockRows(m *viewModel, cols, most int) []row {
	if len(m.blocks) < 2 {
		return nil
	}
	blocks := m.blocks[1:]
	rest := 0
	if len(blocks) > most {
		blocks = slices.Clone(blocks)
		slices.SortStableFunc(blocks, func(a, b outage.BlockStatus) int { return cmp.Compare(urgency(b.State), urgency(a.State)) })
		rest = len(blocks) - (most - 1)
		blocks = blocks[:most-1]
	}
	name := 0
	for _, b := range blocks {
		name = max(name, len(b.Block))
	}
	var out []row
	for _, b := range blocks {
		out = append(out, blockRow(b, name, cols))
	}
	if rest > 0 {
		out = append(out, styled(fmt.Sprintf("  and %s others, none worse", thousands(rest)), faint))
	}
	return out
}

// urgency orders states by what deserves to be seen.
func urgency(s outage.State) int {
	return [...]int{outage.Unobservable: 0, outage.Learning: 1, outage.Up: 2, outage.Unknown: 3, outage.Partial: 4, outage.Total: 5}[s]
}

func blockRow(b outage.BlockStatus, name, cols int) row {
	l := looks[b.State]
	r := styled(l.lamp+" ", l.style).with(words(fmt.Sprintf("%-*s ", name, b.Block)), styled(fmt.Sprintf("%-12s ", stateWord(b.State)), l.style))
	if b.Expected == 0 {
		return r
	}
	of := fmt.Sprintf("%4d/%.1f", b.Observed, b.Expected.Float())
	if left := cols - r.width() - 12; left >= 8 {
		r = r.with(gauge(b.ResponseRate.Float(), min(left, 24), l.style))
	}
	return r.with(words(of))
}

// roundRow says how far the round under way is.
func roundRow(m *viewModel) row {
	if m.round == nil {
		return nil
	}
	asked, all := 0, 0
	for i := range m.round.Passes {
		p := &m.round.Passes[i]
		all += p.Targets.Len()
		asked += p.Targets.Len() - len(p.Unsent)
	}
	return styled(fmt.Sprintf("round of %s: %s of %s probes", m.round.Start.Time().Format("15:04"), thousands(asked), thousands(all)), faint)
}

// logRows is the last of the log, newest last: a line each where that fits, else two.
func logRows(m *viewModel, cols, room int) []row {
	const oneLineFits = 74
	var out []row
	for _, l := range slices.Backward(m.log.lines) {
		entry := logEntry(l, cols >= oneLineFits)
		if len(out)+len(entry) > room {
			break
		}
		out = append(entry, out...)
	}
	return out
}

func logEntry(l logLine, oneLine bool) []row {
	k := looks[l.State]
	head := styled(fmt.Sprintf("%15s ", dateOf(l.At)), faint).with(styled(k.lamp+" "+l.What, k.style))
	switch {
	case l.Detail == "":
		return []row{head}
	case oneLine:
		return []row{head.with(words(": " + l.Detail))}
	}
	return []row{head, words("  " + l.Detail)}
}

// stripRows is the response rate over the timeline, the states below it, and the axis.
func stripRows(m *viewModel, cols, height int) []row {
	n := cols - margin
	out := rateRows(&m.rates, n, height)
	marks := styled(fmt.Sprintf("%-*s", margin, "state"), faint)
	for k := range n {
		_, from, to := m.rates.column(k, n)
		if from > m.now || from < 0 {
			break
		}
		l := looks[m.states.worst(from, min(to, m.now+1))]
		marks = marks.with(styled(l.mark, l.style))
	}
	return append(out, marks, axisRow(&m.rates, n))
}

// rateRows draws the lowest rate of each column in eighths of a row, each column in the colour of how low it is.
func rateRows(s *rateStrip, n, height int) []row {
	out := make([]row, height)
	for i := range out {
		label := ""
		switch {
		case i == height-1:
			label = "rate"
		case i == 0:
			label = "100%"
		}
		out[i] = styled(fmt.Sprintf("%-*s", margin, label), faint)
	}
	for k := range n {
		rate, _, _ := s.column(k, n)
		eighths := (int(rate)*8*height + 50) / 100
		for i := range out {
			glyph := " "
			switch level := min(eighths-8*(height-1-i), 8); {
			case rate == 0 && i == height-1:
				glyph = "▁"
			case rate > 0 && level > 0:
				glyph = string([]rune("▁▂▃▄▅▆▇█")[level-1])
			}
			out[i] = out[i].with(styled(glyph, rateStyle(rate)))
		}
	}
	return out
}

func rateStyle(rate int16) style {
	switch {
	case rate > 80:
		return blue
	case rate > 10:
		return amber
	}
	return alarm
}

// axisRow writes times in UTC, and the date at midnight.
func axisRow(s *rateStrip, n int) row {
	from, to := s.span()
	step := axisStep(int64(to-from), n)
	line := []rune(strings.Repeat(" ", n))
	for t := (int64(from) + step - 1) / step * step; t < int64(to); t += step {
		label := probe.Instant(t).Time().Format("15:04")
		if t%day == 0 {
			label = probe.Instant(t).Time().Format("2 Jan")
		}
		if at := int((t - int64(from)) * int64(n) / int64(to-from)); at+len(label)+1 <= n {
			copy(line[at:], []rune("╵"+label))
		}
	}
	return styled(fmt.Sprintf("%-*s", margin, "UTC")+string(line), faint)
}

// axisStep is a round number of milliseconds, of which each is wide enough for a label.
func axisStep(span int64, n int) int64 {
	const minute, room = 60_000, 9
	for _, step := range []int64{1, 5, 10, 15, 30, 60, 120, 180, 360, 720} {
		if step*minute*int64(n) >= room*span {
			return step * minute
		}
	}
	return day * (1 + room*span/int64(n)/day)
}
