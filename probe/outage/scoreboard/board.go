package main

import (
	"fmt"
	"math"

	"brownout/probe/outage"
)

// board is the scoreboard.
type board struct {
	options options
	rows    []measure
	ours    column
	tuned   []column
	as      []column // as published
	lapses  []string // ours
}

// column is a detector at a setting.
type column struct {
	Name    string  `json:"detector"`
	Setting string  `json:"setting"`
	InRow   int     `json:"in_a_row"` // low rounds before it speaks
	Tuned   bool    `json:"tuned"`    // to our false alarms
	Reached bool    `json:"reached"`  // whether it got there
	Cells   []value `json:"cells"`    // by row
}

// value is a figure with its 95 % bounds, where it has any.
type value struct {
	Row   string   `json:"row"`
	Value *float64 `json:"value"` // nil: there is none
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Of    int      `json:"of"`
	Beats bool     `json:"beats"` // us, beyond the bound
}

// measure is a row.
type measure struct {
	label string
	of    func(*score) value
	beats func(theirs, ours *score) bool // nil: reported, not judged
}

func newBoard(o options, all []peer, tuned []choice, s scores) *board {
	b := &board{options: o, rows: measures(cells(o.cadence.Round)), lapses: s.lapses}
	b.ours = column{Name: "brownout", Cells: b.cells(s.ours, s.ours)}
	for i := range all {
		published, chosen := s.peers[i][0], s.peers[i][1]
		b.as = append(b.as, all[i].column(all[i].published, b.cells(published, s.ours)))
		c := all[i].column(tuned[i].setting, b.cells(chosen, s.ours))
		c.Tuned, c.Reached = true, tuned[i].reached
		b.tuned = append(b.tuned, c)
	}
	return b
}

func (p *peer) column(at setting, cells []value) column {
	return column{Name: p.name, Setting: p.describe(at), InRow: at.inRow, Cells: cells}
}

func (b *board) cells(s, ours *score) []value {
	var out []value
	for _, m := range b.rows {
		v := m.of(s)
		v.Row = m.label
		v.Beats = s != ours && m.beats != nil && m.beats(s, ours)
		out = append(out, v)
	}
	return out
}

// describe is a setting's level; none where the rounds in a row are all there is to set.
func (p *peer) describe(s setting) string {
	if p.unit == "" {
		return ""
	}
	return fmt.Sprintf("%.4g %s", s.level, p.unit)
}

// measures is the rows.
func measures(all []cell) []measure {
	rows := []measure{{"false alarms a year", alarmsAYear, fewerAlarms}}
	for i := range all {
		if all[i].kind == outage.Up {
			rows = append(rows, fewer("fooled: "+all[i].label, func(s *score) share { return s.found[i] }))
		}
	}
	for i := range all {
		if all[i].kind != outage.Up {
			rows = append(rows, more(all[i].label, func(s *score) share { return s.found[i] }))
		}
	}
	ofKind := func(k outage.State) func(*score) share {
		return func(s *score) share { return s.recall(all, func(c *cell) bool { return c.kind == k }) }
	}
	rows = append(rows,
		more("all totals", ofKind(outage.Total)), more("all partials", ofKind(outage.Partial)),
		more("right kind, of the found", func(s *score) share { return s.kind }),
		more("intervals hold, totals", func(s *score) share { return s.total.holds }),
		more("intervals hold, partials", func(s *score) share { return s.partial.holds }))
	return append(rows, times()...)
}

// times is the rows that are reported, not judged.
func times() []measure {
	seconds := func(label string, percent int, of func(*score) []float64) measure {
		return measure{label: label, of: func(s *score) value { return plain(percentile(of(s), percent), len(of(s))) }}
	}
	return []measure{
		seconds("interval width, totals, s", 50, func(s *score) []float64 { return s.total.widths }),
		seconds("interval width, partials, s", 50, func(s *score) []float64 { return s.partial.widths }),
		seconds("onset error, totals, s", 50, func(s *score) []float64 { return s.total.onset }),
		seconds("  99th percentile", 99, func(s *score) []float64 { return s.total.onset }),
		seconds("end error, totals, s", 50, func(s *score) []float64 { return s.total.end }),
		seconds("  99th percentile", 99, func(s *score) []float64 { return s.total.end }),
		seconds("onset error, partials, s", 50, func(s *score) []float64 { return s.partial.onset }),
		seconds("  99th percentile", 99, func(s *score) []float64 { return s.partial.onset }),
		seconds("end error, partials, s", 50, func(s *score) []float64 { return s.partial.end }),
		seconds("  99th percentile", 99, func(s *score) []float64 { return s.partial.end }),
		seconds("declares a total in, s", 50, func(s *score) []float64 { return s.total.delay }),
		seconds("declares a partial in, s", 50, func(s *score) []float64 { return s.partial.delay }),
		{label: "probes a day", of: func(s *score) value { return plain(float64(s.probes)/s.observed, 0) }},
	}
}

func plain(f float64, of int) value {
	if math.IsNaN(f) {
		return value{}
	}
	return value{Value: &f, Of: of}
}

func alarmsAYear(s *score) value {
	low, high := garwood(s.alarms)
	v := plain(float64(s.alarms)/s.exposed, 0)
	low, high = low/s.exposed, high/s.exposed
	v.Low, v.High = &low, &high
	return v
}

// fewerAlarms reports whether more of both's alarms are ours than blind dealing explains: the years are the same.
func fewerAlarms(theirs, ours *score) bool {
	all := theirs.alarms + ours.alarms
	return all > 0 && binomialFrom(ours.alarms, all, 0.5) <= beyond
}

// more is a share of which more is better, in per cent.
func more(label string, of func(*score) share) measure {
	return measure{label, percent(of), func(theirs, ours *score) bool { return of(theirs).exceeds(of(ours)) }}
}

func fewer(label string, of func(*score) share) measure {
	return measure{label, percent(of), func(theirs, ours *score) bool { return of(ours).exceeds(of(theirs)) }}
}

func percent(of func(*score) share) func(*score) value {
	return func(s *score) value {
		n := of(s)
		if n.of == 0 {
			return value{}
		}
		low, high := n.wilson()
		rate := 100 * n.rate()
		low, high = 100*low, 100*high
		return value{Value: &rate, Low: &low, High: &high, Of: n.of}
	}
}

// beaten is the cells of columns in which we are.
func beaten(columns []column) []string {
	var out []string
	for _, c := range columns {
		for _, v := range c.Cells {
			if v.Beats {
				out = append(out, fmt.Sprintf("%s in %q", c.Name, v.Row))
			}
		}
	}
	return out
}

// unreached is the names of the peers that cannot be tuned down to our false alarms.
func (b *board) unreached() []string {
	var out []string
	for _, c := range b.tuned {
		if !c.Reached {
			out = append(out, c.Name)
		}
	}
	return out
}
