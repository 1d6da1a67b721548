package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (b *board) print(out io.Writer, format string) error {
	var err error
	switch format {
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", " ")
		err = e.Encode(b.columns())
	case "csv":
		err = b.printCSV(out)
	default:
		_, err = io.WriteString(out, b.text())
	}
	if err != nil {
		return fmt.Errorf("print the scoreboard: %w", err)
	}
	return nil
}

func (b *board) columns() []column {
	out := append([]column{b.ours}, b.tuned...)
	return append(out, b.as...)
}

func (b *board) printCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	w.Write([]string{"detector", "tuned", "setting", "in_a_row", "row", "value", "low", "high", "of", "beats"}) // the error is kept
	for _, c := range b.columns() {
		for _, v := range c.Cells {
			w.Write([]string{c.Name, strconv.FormatBool(c.Tuned), c.Setting, strconv.Itoa(c.InRow), v.Row,
				number(v.Value), number(v.Low), number(v.High), strconv.Itoa(v.Of), strconv.FormatBool(v.Beats)})
		}
	}
	w.Flush()
	return w.Error()
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'g', 6, 64)
}

const (
	labelWidth  = 32
	columnWidth = 16
)

// text is the two tables and what they come to.
func (b *board) text() string {
	var w strings.Builder
	o := &b.options
	core := "no core passes"
	if o.cadence.Core > 0 {
		core = fmt.Sprintf("core passes every %v", o.cadence.Core)
	}
	fmt.Fprintf(&w, "%d years of the reference world, seed %d, rounds of %v, %s; peers tuned on %d other years.\n",
		o.years, o.seed, o.cadence.Round, core, o.years)
	fmt.Fprintf(&w, "Per cent, with 95 %% bounds; (n) is how many there were. *: better than brownout beyond the bound.\n")
	fmt.Fprintf(&w, "\nPEERS TUNED TO RAISE NO MORE FALSE ALARMS THAN BROWNOUT\n")
	b.table(&w, b.tuned)
	fmt.Fprintf(&w, "\nPEERS AS PUBLISHED\n")
	b.table(&w, b.as)
	w.WriteString("\n" + b.sentences())
	return w.String()
}

func (b *board) table(w *strings.Builder, peers []column) {
	columns := append([]column{b.ours}, peers...)
	line := func(label string, cell func(*column) string) {
		text := pad(label, labelWidth)
		for i := range columns {
			text += pad(cell(&columns[i]), columnWidth)
		}
		w.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("", func(c *column) string { return c.Name })
	line("setting", func(c *column) string { return c.Setting })
	line("low rounds in a row", func(c *column) string { return strings.TrimLeft(strconv.Itoa(c.InRow), "0") })
	for i, m := range b.rows {
		label := m.label
		if n := b.ours.Cells[i].Of; n > 0 && m.beats != nil {
			label += fmt.Sprintf(" (%d)", n)
		}
		line(label, func(c *column) string { return c.Cells[i].String() })
	}
}

// pad fills up to a width, and leaves a blank at least.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(1, width-utf8.RuneCountInString(s)))
}

func (v value) String() string {
	if v.Value == nil {
		return "-"
	}
	text := short(*v.Value)
	if v.Low != nil {
		text += " " + short(*v.Low) + "-" + short(*v.High)
	}
	if v.Beats {
		text += "*"
	}
	return text
}

// short is a number in at most four digits or so.
func short(f float64) string {
	switch {
	case f >= 99.95:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 9.995:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case f < 0.005:
		return "0"
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// sentences says in which judged cells a peer beats us.
func (b *board) sentences() string {
	text := "At brownout's false alarms: " + tell(beaten(b.tuned))
	if names := b.unreached(); len(names) > 0 {
		text += "No setting brings down to brownout's false alarms: " + strings.Join(names, ", ") + "; the nearest stands there.\n"
	}
	return text + "As published: " + tell(beaten(b.as))
}

func tell(cells []string) string {
	if len(cells) == 0 {
		return "no peer beats brownout in a judged cell.\n"
	}
	return "brownout is beaten by " + strings.Join(cells, ", ") + ".\n"
}
