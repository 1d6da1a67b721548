package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// stamp is a moment for people: "22 Dec 2014, 16:14:58 UTC".
func stamp(t probe.Instant) string { return t.Time().Format("2 Jan 2006, 15:04:05 UTC") }

// dayStamp is a moment's day: "22 December 2014".
func dayStamp(t probe.Instant) string { return t.Time().Format("2 January 2006") }

// clock is a moment's time of day: "16:14:58".
func clock(t probe.Instant) string { return t.Time().Format("15:04:05") }

// lastingWords is a length of time in milliseconds, in its two largest units.
func lastingWords(ms probe.Instant) string {
	d := (time.Duration(ms) * time.Millisecond).Round(time.Second)
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	hours, minutes, seconds := rest/time.Hour, rest%time.Hour/time.Minute, rest%time.Minute/time.Second
	switch {
	case days > 0:
		return two(int64(days), "d", int64(hours), "h")
	case hours > 0:
		return two(int64(hours), "h", int64(minutes), "min")
	case minutes > 0:
		return two(int64(minutes), "min", int64(seconds), "s")
	}
	return fmt.Sprintf("%d\u00a0s", seconds)
}

// two is a length of time, which no end of a line breaks.
func two(a int64, unitA string, b int64, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d\u00a0%s", a, unitA)
	}
	return fmt.Sprintf("%d\u00a0%s\u00a0%d\u00a0%s", a, unitA, b, unitB)
}

// percentWords is a share as "50 %", on one line.
func percentWords(d outage.Decimal) string { return fmt.Sprintf("%.0f\u00a0%%", d.Float()*100) }

// countWords writes 1024 as 1,024.
func countWords(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// addressesWords is so many addresses.
func addressesWords(n int) string {
	if n == 1 {
		return "1 address"
	}
	return countWords(n) + " addresses"
}

// askedWords says that so many addresses are asked.
func askedWords(n int) string {
	if n == 1 {
		return "Its " + addressesWords(n) + " is asked"
	}
	return "All " + addressesWords(n) + " are asked"
}

// isWords is a space's name with its verb: a space of several prefixes is named by its addresses.
func isWords(name string) string {
	if strings.HasSuffix(name, " addresses") {
		return name + " are"
	}
	return name + " is"
}

// expectedCount is an expectation as a number of addresses.
func expectedCount(d outage.Decimal) int { return int(math.Round(d.Float())) }

// answeringWords says who answers of whom that is expected of.
func answeringWords(b *outage.BlockStatus) string {
	if b.Expected == 0 {
		return fmt.Sprintf("%s of %s answer", countWords(b.Responsive), addressesWords(b.Targets))
	}
	return fmt.Sprintf("%s of %s expected responders answer (%s)",
		countWords(b.Observed), countWords(expectedCount(b.Expected)), percentWords(min(b.ResponseRate, 10_000)))
}

// reasonWords explains why a state is unknown.
func reasonWords(reason string) string {
	switch reason {
	case "gap":
		return "no round was run"
	case "unsent":
		return "our probes could not be sent"
	case "vantage":
		return "our own connectivity was bad"
	case "vantage-unverified":
		return "too few references vouch for our own connectivity"
	case "glimpse":
		return "all was silent, but we looked too briefly to tell for how long"
	case "middlebox":
		return "something nearer than the targets answers for them"
	}
	return reason
}

// rttWords is a round-trip time in microseconds.
func rttWords(us uint32) string {
	switch {
	case us == 0:
		return "–"
	case us < 1000:
		return fmt.Sprintf("%.2f\u00a0ms", float64(us)/1000)
	case us < 10_000:
		return fmt.Sprintf("%.1f\u00a0ms", float64(us)/1000)
	}
	return fmt.Sprintf("%.0f\u00a0ms", float64(us)/1000)
}

// joinWords is a list of whatever prints as a word.
func joinWords(list any) string {
	return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(list), "[]")), ", ")
}

// intervalWords says a moment with the times that bound it.
func intervalWords(i outage.Interval) string {
	if i.Earliest == i.Latest {
		return stamp(i.At)
	}
	return fmt.Sprintf("%s (between %s and %s)", stamp(i.At), clock(i.Earliest), clock(i.Latest))
}

// sentence says an outage in one plain sentence; name is the block's, and now is how far was judged.
func sentence(o *outage.Outage, name string, now probe.Instant) string {
	s := fmt.Sprintf("On %s, from between %s and %s UTC, ", dayStamp(o.Start.At), clock(o.Start.Earliest), clock(o.Start.Latest))
	if o.Start.Earliest == o.Start.Latest {
		s = fmt.Sprintf("On %s, from %s UTC, ", dayStamp(o.Start.At), clock(o.Start.At))
	}
	s += answerersWords(o, name)
	if o.End == nil {
		return s + fmt.Sprintf(", and as of %s that lasts: %s so far%s.", stamp(now), lastingWords(max(now-o.Start.At, 0)), phasesWords(o, now))
	}
	day := ""
	if dayOf(o.End.At) != dayOf(o.Start.At) {
		day = " on " + dayStamp(o.End.At)
	}
	return s + fmt.Sprintf(", until between %s and %s UTC%s: %s%s.", clock(o.End.Earliest), clock(o.End.Latest), day, lastingWords(o.End.At-o.Start.At), phasesWords(o, now))
}

// answerersWords says who answered all the while.
func answerersWords(o *outage.Outage, name string) string {
	responders := fmt.Sprintf("of the %s expected responders", countWords(expectedCount(o.Expected)))
	switch {
	case o.Kind != outage.Total:
		return fmt.Sprintf("at the worst %s %s of %s answered", countWords(o.Observed), responders, name)
	case len(phasesOf(o, outage.Partial)) > 0:
		return fmt.Sprintf("fewer %s of %s answered than normally do", responders, name)
	}
	return fmt.Sprintf("none %s of %s answered", responders, name)
}

// phasesWords says what was otherwise for a part of the outage: total, or not known.
func phasesWords(o *outage.Outage, now probe.Instant) (s string) {
	dark, partial := phasesOf(o, outage.Total), phasesOf(o, outage.Partial)
	switch {
	case len(dark) == 0 || len(partial) == 0:
	case len(dark) > 1:
		s = fmt.Sprintf(", in which none answered for %s in %d phases", lastingWords(probe.Instant(o.Length(outage.Total, now))), len(dark))
	case dark[0].End == nil:
		s = ", in which none has answered since " + momentWords(dark[0].Start.At, o.Start.At)
	default:
		s = fmt.Sprintf(", in which none answered for %s from %s", lastingWords(probe.Instant(o.Length(outage.Total, now))), momentWords(dark[0].Start.At, o.Start.At))
	}
	if unknown := o.Length(outage.Unknown, now); unknown > 0 {
		s += fmt.Sprintf(", %s of it not known", lastingWords(probe.Instant(unknown)))
	}
	return s
}

// phasesOf is an outage's phases of one kind.
func phasesOf(o *outage.Outage, kind outage.State) (out []outage.Phase) {
	for _, p := range o.Phases {
		if p.Kind == kind {
			out = append(out, p)
		}
	}
	return out
}

// momentWords is a moment, without its day where that was said.
func momentWords(t, said probe.Instant) string {
	if dayOf(t) == dayOf(said) {
		return clock(t) + " UTC"
	}
	return stamp(t)
}
