package agent

import (
	"fmt"
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// viewLog is what happened to the space lately, in lines for people.
type viewLog struct {
	lines  []logLine       // the last of them
	count  int             // of all lines ever
	latest []outage.Outage // as they were told of, the last of them
}

// logLine is what happened, and when exactly in a line of its own.
type logLine struct {
	At     probe.Instant // when it was said
	State  outage.State  // the state it led to
	What   string
	Detail string
}

const (
	keptLines   = 64
	keptOutages = 64 // one that is forgotten would be told of as new if it were revised still
)

// oneLine is the whole of it without its time.
func (l logLine) oneLine() string {
	if l.Detail == "" {
		return l.What
	}
	return l.What + ": " + l.Detail
}

func (l *viewLog) add(line logLine) {
	l.count++
	l.lines = append(l.lines, line)
	if len(l.lines) > keptLines {
		l.lines = slices.Delete(l.lines, 0, 1)
	}
}

// since is the lines after the first n of all, as far as they are kept.
func (l *viewLog) since(n int) []logLine {
	return l.lines[max(0, len(l.lines)-(l.count-n)):]
}

// outage notes an outage of the space that is new, has another phase, ended, or was revised. Other corrections are not
// worth a line.
func (l *viewLog) outage(now probe.Instant, o outage.Outage) {
	k := slices.IndexFunc(l.latest, func(p outage.Outage) bool { return p.ID == o.ID })
	if k < 0 {
		l.latest = append(l.latest, o)
		if len(l.latest) > keptOutages {
			l.latest = slices.Delete(l.latest, 0, 1)
		}
		l.add(logLine{now, o.Kind, o.Kind.String() + " outage opened", "since " + intervalWords(o.Start)})
		if o.End == nil {
			return
		}
		k = len(l.latest) - 1
		l.latest[k].End = nil
	}
	before := l.latest[k]
	l.latest[k] = o
	phase, was := o.Phases[len(o.Phases)-1], before.Phases[len(before.Phases)-1]
	switch {
	case o.End != nil && before.End == nil:
		l.add(logLine{now, outage.Up, fmt.Sprintf("%v ended (%s)", o.Kind, tookWords(&o)), "at " + intervalWords(*o.End)})
	case o.End == nil && phase.Kind != was.Kind:
		l.add(logLine{now, phase.Kind, "now " + phase.Kind.String(), "since " + intervalWords(phase.Start)})
	}
	for _, r := range o.Revisions[min(len(before.Revisions), len(o.Revisions)):] {
		l.add(logLine{now, r.Kind, "revised: " + conditionWord(r.Finding), verdictWords(r.Kind)})
	}
}

// tookWords is how long an outage that ended lasted, and for how much of it it was as bad as its kind says.
func tookWords(o *outage.Outage) string {
	all, worst := lasted(o.End.At-o.Start.At), lasted(probe.Instant(o.Length(o.Kind, o.End.At)))
	if worst == all {
		return all
	}
	return worst + " of " + all
}

// notice notes what is no outage: times unknown, conditions, and the end of learning.
func (l *viewLog) notice(now probe.Instant, was, is outage.BlockStatus) {
	switch {
	case was.State == is.State:
	case is.State == outage.Unknown:
		l.add(logLine{now, is.State, "unknown", reasonWords(is)})
	case was.State == outage.Unknown:
		l.add(logLine{now, is.State, is.State.String() + " again", ""})
	case is.State == outage.Up && was.State < outage.Up && was.Block != "":
		l.add(logLine{now, is.State, "up", fmt.Sprintf("%.1f addresses are expected to answer", is.Expected.Float())})
	case is.State == outage.Unobservable:
		l.add(logLine{now, is.State, "unobservable", "too few addresses answer to judge"})
	}
	for _, c := range is.Conditions {
		if !slices.Contains(was.Conditions, c) {
			l.add(logLine{now, is.State, conditionWord(c), evidenceOf(is.Reports, c)})
		}
	}
	for _, c := range was.Conditions {
		if !slices.Contains(is.Conditions, c) && c != outage.Moved && c != outage.Shifted { // those happen once
			l.add(logLine{now, is.State, "no longer " + conditionWord(c), ""})
		}
	}
}

// evidenceOf is what shows a condition.
func evidenceOf(reports []outage.Report, c outage.Condition) string {
	for i := range reports {
		if reports[i].Condition == c {
			return evidenceWords(&reports[i])
		}
	}
	return ""
}

func reasonWords(s outage.BlockStatus) string {
	since := "since " + clockOf(s.Since)
	if s.Reason == "" {
		return since
	}
	return since + ", " + s.Reason
}

// intervalWords is "16:15:04 (16:14:58–16:15:40)".
func intervalWords(i outage.Interval) string {
	return fmt.Sprintf("%s (%s–%s)", clockOf(i.At), clockOf(i.Earliest), clockOf(i.Latest))
}

func clockOf(t probe.Instant) string { return t.Time().Format("15:04:05") }
func dateOf(t probe.Instant) string  { return t.Time().Format("2 Jan 15:04:05") }
