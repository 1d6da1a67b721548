package agent

import (
	"fmt"
	"slices"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// compareTruth lists where verdicts on the space are not a scenario's truth: a total that was missed, or whose intervals do
// not hold its true start and end; a partial that was missed; an outage where there was none. What the truth leaves
// open may be judged either way.
func compareTruth(found []outage.Outage, truth []lab.Truth) (wrong []string) {
	var whole []lab.Truth
	for _, t := range truth {
		if t.Block == lab.SpaceBlock {
			whole = append(whole, t)
		}
	}
	for i := range whole {
		if t := &whole[i]; !t.Optional {
			wrong = append(wrong, missed(found, t)...)
		}
	}
	for i := range found {
		o := &found[i]
		if o.Block == outage.SpaceBlock && !slices.ContainsFunc(whole, func(t lab.Truth) bool { return allows(&t, o) }) {
			wrong = append(wrong, fmt.Sprintf("found a %v outage from %v that was none", o.Kind, o.Start.At))
		}
	}
	return wrong
}

// missed says what is wrong with the verdicts on one true outage.
func missed(found []outage.Outage, t *lab.Truth) []string {
	kind := stateOf(t.Kind)
	matches := 0
	for i := range found {
		o := &found[i]
		if o.Block != outage.SpaceBlock || o.Kind != kind || !overlaps(o, t) {
			continue
		}
		matches++
		if kind == outage.Total && !(holdsInstant(o.Start, t.Start) && o.End != nil && holdsInstant(*o.End, t.End)) {
			return []string{fmt.Sprintf("the total outage from %v to %v was found, but from %v to %v at the most", t.Start, t.End, o.Start.Earliest, lastOf(o))}
		}
	}
	if matches != 1 && kind == outage.Total || matches == 0 {
		return []string{fmt.Sprintf("the %v outage from %v to %v was found %d times", kind, t.Start, t.End, matches)}
	}
	return nil
}

func stateOf(k lab.State) outage.State {
	if k == lab.Total {
		return outage.Total
	}
	return outage.Partial
}

// allows reports whether a true outage explains a found one: it overlaps it, and is no less.
func allows(t *lab.Truth, o *outage.Outage) bool {
	return overlaps(o, t) && (o.Kind != outage.Total || t.Kind == lab.Total || t.Optional)
}

func overlaps(o *outage.Outage, t *lab.Truth) bool {
	return o.Start.Earliest < t.End && (o.End == nil || o.End.Latest > t.Start)
}

func holdsInstant(in outage.Interval, t probe.Instant) bool {
	return in.Earliest <= t && t <= in.Latest
}

func lastOf(o *outage.Outage) probe.Instant {
	if o.End == nil {
		return outage.EndOfTime
	}
	return o.End.Latest
}
