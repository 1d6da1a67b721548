package web

import (
	"fmt"
	"html/template"
	"strings"

	"brownout/probe"
	"brownout/probe/outage"
)

// stateIcon is a state's shape: nobody has to tell them by colour. It is drawn by the style sheet's colours.
func stateIcon(s outage.State) template.HTML {
	const box = `<svg class="icon %s" viewBox="0 0 16 16" aria-hidden="true" focusable="false">%s</svg>`
	return template.HTML(fmt.Sprintf(box, s, iconShapes[min(int(s), len(iconShapes)-1)])) // a state is one of our words
}

var iconShapes = [...]string{
	outage.Learning:     `<circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="2.5 2"/>`,
	outage.Unobservable: `<path d="M3 8h10" stroke="currentColor" stroke-width="2.5"/>`,
	outage.Up:           `<circle cx="8" cy="8" r="6.5" fill="currentColor"/>`,
	outage.Partial:      `<path d="M8 1.2 14.8 8 8 14.8 1.2 8Z" fill="none" stroke="currentColor" stroke-width="2"/><path d="M8 1.2 8 14.8 1.2 8Z" fill="currentColor"/>`,
	outage.Total:        `<path d="M1.5 1.5h13v13h-13z" fill="currentColor"/><path d="m5 5 6 6m0-6-6 6" stroke="var(--paper)" stroke-width="2"/>`,
	outage.Unknown:      `<circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M6 6.4a2 2 0 1 1 2.6 1.9q-.6.2-.6 1.2m0 1.3v1.2" fill="none" stroke="currentColor" stroke-width="1.6"/>`,
}

// dayState is the worst that a day had, and how much of it is not known.
type dayState struct {
	Day     probe.Instant
	Worst   outage.State
	Unknown float64 // share of the day
	Seen    bool    // anything is known of it at all
}

const barDays = 90

// daysOf is the last days of a block, the newest last.
func daysOf(states []outage.Stretch, block string, now probe.Instant) []dayState {
	out := make([]dayState, barDays)
	first := dayOf(now).Add(-(barDays - 1) * dayMS)
	for i := range out {
		out[i] = dayState{Day: first.Add(int64(i) * dayMS), Worst: outage.Unobservable}
	}
	for _, s := range states {
		if s.Block != block {
			continue
		}
		for i := range out {
			out[i].take(&s)
		}
	}
	return out
}

// severity orders states: what is known to be bad is worse than what is not known.
func severity(s outage.State) int {
	return [...]int{outage.Unobservable: 0, outage.Learning: 1, outage.Up: 2, outage.Unknown: 0, outage.Partial: 4, outage.Total: 5}[s]
}

func (d *dayState) take(s *outage.Stretch) {
	from, to := max(s.Start, d.Day), min(s.End, d.Day.Add(dayMS))
	if from >= to {
		return
	}
	if s.State == outage.Unknown {
		d.Unknown += float64(to-from) / dayMS
		return
	}
	if !d.Seen || severity(s.State) > severity(d.Worst) {
		d.Worst = s.State
	}
	d.Seen = true
}

// dayBars draws the days: the colour is the worst state's, and a grey cap is the share that is not known. Days that were not
// measured are one strip.
func dayBars(days []dayState) template.HTML {
	const width, height = 6, 28.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="days" viewBox="0 0 %d %g" preserveAspectRatio="none" role="img" aria-label="%s"><rect class="never" y="26" width="%d" height="2"/>`,
		width*len(days), height, daysWords(days), width*len(days))
	for i := range days {
		d := &days[i]
		if !d.Seen && d.Unknown == 0 {
			continue
		}
		x, top := i*width, height*min(d.Unknown, 1)
		fmt.Fprintf(&b, `<g><title>%s</title>`, d.words())
		if d.Seen {
			fmt.Fprintf(&b, `<path class="%s" d="M%d %.1fh4.5V28h-4.5z"/>`, d.Worst, x, top)
		}
		if d.Seen && d.Worst == outage.Partial {
			fmt.Fprintf(&b, `<path class="hatch" d="M%d 28l4.5-7m-4.5 0l4.5-7m-4.5 0l4.5-7"/>`, x)
		}
		if top > 0 {
			fmt.Fprintf(&b, `<path class="unknown" d="M%d 0h4.5v%.1fh-4.5z"/>`, x, max(top, 1))
		}
		b.WriteString(`</g>`)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // made of numbers and our own words
}

func (d *dayState) words() string {
	s := d.Day.Time().Format("2 Jan 2006") + ": "
	switch {
	case !d.Seen && d.Unknown == 0:
		return s + "not measured"
	case !d.Seen:
		return s + "unknown"
	}
	s += "at worst " + d.Worst.String()
	if d.Unknown >= .01 {
		s += fmt.Sprintf(", %.0f %% unknown", d.Unknown*100)
	}
	return s
}

// daysWords says the bar in words.
func daysWords(days []dayState) string {
	n := map[outage.State]int{}
	measured := 0
	for i := range days {
		if days[i].Seen {
			measured++
			n[days[i].Worst]++
		}
	}
	return fmt.Sprintf("The last %d days: %d measured, %d with a total outage, %d with a partial one at worst",
		len(days), measured, n[outage.Total], n[outage.Partial])
}
