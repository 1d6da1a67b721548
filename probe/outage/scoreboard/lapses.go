package main

import (
	"fmt"
	"slices"

	"brownout/probe/outage"
)

// lapses is our own false alarms, misses and intervals that hold no truth in words, so that they can be looked into.
func (y *year) lapses() []string {
	var out []string
	say := func(what string, args ...any) {
		out = append(out, fmt.Sprintf("seed %d: ", y.seed)+fmt.Sprintf(what, args...))
	}
	for _, v := range y.alarms(y.ours.verdicts) {
		say("false alarm: %v of %s, %v to %v", v.kind, v.block, v.start.At, v.end.At)
	}
	for i := range y.truths {
		t := &y.truths[i]
		c := &y.cells[t.cell]
		k := slices.IndexFunc(y.ours.verdicts, func(v verdict) bool { return y.finds(&v, t) })
		if k < 0 {
			if t.kind != outage.Up {
				say("missed: %s, %v to %v", c.label, t.from, t.to)
			}
			continue
		}
		switch v := &y.ours.verdicts[k]; {
		case t.kind == outage.Up:
			say("fooled: %s, %v to %v, told as %v of %s from %v", c.label, t.from, t.to, v.kind, v.block, v.start)
		case v.kind != t.kind:
			say("taken for %v at first: %s, %v to %v", v.kind, c.label, t.from, t.to)
		case !v.holds(t):
			say("not held: %s, %v to %v, from %v to %v until %v to %v", c.label, t.from, t.to, v.start.Earliest, v.start.Latest, v.end.Earliest, v.end.Latest)
		}
	}
	return out
}
