package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// print prints the rows of a protocol and space as a table that a README can hold.
func print(w io.Writer, rows []row) {
	if len(rows) == 0 {
		return
	}
	first := &rows[0]
	there := first.addresses()
	fmt.Fprintf(w, "\n%s, a /%d of %d responders", first.contest.protocol, first.bits, there)
	if first.sweeps > 1 {
		fmt.Fprintf(w, ", swept %d times by each process", first.sweeps)
	}
	fmt.Fprintf(w, ", %d runs\n\n", len(first.samples))
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.AppendHeader(table.Row{"prober", "found, worst run", "wall s", "CPU s per 100,000", "peak MB"})
	for i := range rows {
		r := &rows[i]
		t.AppendRow(table.Row{r.name, r.worst(there), r.wall(), r.cpu(), r.memory()})
	}
	t.RenderMarkdown()
}

// worst is how many were found in the worst run.
func (r *row) worst(there int) string {
	found := slices.MinFunc(r.samples, func(a, b sample) int { return a.found - b.found }).found
	if found == there {
		return "all"
	}
	return fmt.Sprintf("%d (%.2f %%)", found, 100*float64(found)/float64(there))
}

func (r *row) wall() string {
	return fmt.Sprintf("%.2f", median(r.samples, func(m sample) time.Duration { return m.wall }).Seconds())
}

func (r *row) cpu() string {
	spent := median(r.samples, func(m sample) time.Duration { return m.cpu }).Seconds()
	return fmt.Sprintf("%.2f", spent*100_000/float64(r.probes()))
}

func (r *row) memory() string {
	return fmt.Sprintf("%.0f", float64(median(r.samples, func(m sample) int64 { return m.memory }))/1e6)
}
