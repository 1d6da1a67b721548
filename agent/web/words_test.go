package web

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

func instant(clock string) probe.Instant {
	t, err := time.Parse("2006-01-02 15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return probe.InstantOf(t)
}

func between(a, b, c string) outage.Interval {
	return outage.Interval{Earliest: instant(a), At: instant(b), Latest: instant(c)}
}

func TestSentence(t *testing.T) {
	start := between("2014-12-22 16:15:04", "2014-12-22 16:15:20", "2014-12-22 16:15:31")
	end := between("2014-12-23 01:45:57", "2014-12-23 01:46:00", "2014-12-23 01:46:05")
	now := instant("2014-12-23 02:00:00")
	total := outage.Outage{Kind: outage.Total, Start: start, End: &end, Expected: 18_2000}
	lasts := total
	lasts.End = nil
	returned := lasts
	returned.Phases = []outage.Phase{{Kind: outage.Total, Start: start, End: &end}, {Kind: outage.Partial, Start: end}}
	partial := outage.Outage{Kind: outage.Partial, Start: start, End: &end, Expected: 18_2000, Observed: 9}

	dark := between("2014-12-22 16:30:00", "2014-12-22 16:30:10", "2014-12-22 16:30:20")
	lit := between("2014-12-22 16:30:30", "2014-12-22 16:30:34", "2014-12-22 16:30:40")
	turned := total
	turned.Phases = []outage.Phase{{Kind: outage.Partial, Start: start, End: &dark}, {Kind: outage.Total, Start: dark, End: &lit}, {Kind: outage.Partial, Start: lit, End: &end}}
	turning := lasts
	turning.Phases = []outage.Phase{{Kind: outage.Partial, Start: start, End: &dark}, {Kind: outage.Total, Start: dark}}
	twice := total
	twice.Phases = []outage.Phase{{Kind: outage.Total, Start: start, End: &dark}, {Kind: outage.Partial, Start: dark, End: &lit}, {Kind: outage.Total, Start: lit, End: &end}}
	unseen := total
	unseen.Phases = []outage.Phase{{Kind: outage.Total, Start: start, End: &dark}, {Kind: outage.Unknown, Start: dark, End: &lit}, {Kind: outage.Total, Start: lit, End: &end}}
	for want, o := range map[string]*outage.Outage{
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, none of the 18 expected responders of 175.45.176.0/22 answered, until between 01:45:57 and 01:46:05 UTC on 23 December 2014: 9\u00a0h\u00a030\u00a0min.":                                                                                     &total,
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, none of the 18 expected responders of 175.45.176.0/22 answered, and as of 23 Dec 2014, 02:00:00 UTC that lasts: 9\u00a0h\u00a044\u00a0min so far.":                                                                                           &lasts,
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, at the worst 9 of the 18 expected responders of 175.45.176.0/22 answered, until between 01:45:57 and 01:46:05 UTC on 23 December 2014: 9\u00a0h\u00a030\u00a0min.":                                                                           &partial,
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, fewer of the 18 expected responders of 175.45.176.0/22 answered than normally do, and as of 23 Dec 2014, 02:00:00 UTC that lasts: 9\u00a0h\u00a044\u00a0min so far, in which none answered for 9\u00a0h\u00a030\u00a0min from 16:15:20 UTC.": &returned,
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, fewer of the 18 expected responders of 175.45.176.0/22 answered than normally do, until between 01:45:57 and 01:46:05 UTC on 23 December 2014: 9\u00a0h\u00a030\u00a0min, in which none answered for 24\u00a0s from 16:30:10 UTC.":           &turned,
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, fewer of the 18 expected responders of 175.45.176.0/22 answered than normally do, and as of 23 Dec 2014, 02:00:00 UTC that lasts: 9\u00a0h\u00a044\u00a0min so far, in which none has answered since 16:30:10 UTC.":                          &turning,
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, fewer of the 18 expected responders of 175.45.176.0/22 answered than normally do, until between 01:45:57 and 01:46:05 UTC on 23 December 2014: 9\u00a0h\u00a030\u00a0min, in which none answered for 9\u00a0h\u00a030\u00a0min in 2 phases.": &twice,
		"On 22 December 2014, from between 16:15:04 and 16:15:31 UTC, none of the 18 expected responders of 175.45.176.0/22 answered, until between 01:45:57 and 01:46:05 UTC on 23 December 2014: 9\u00a0h\u00a030\u00a0min, 24\u00a0s of it not known.":                                                          &unseen,
	} {
		if got := sentence(o, "175.45.176.0/22", now); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestNumberOfAddresses(t *testing.T) {
	for want, got := range map[string]string{
		"1 address":                addressesWords(1),
		"1,024 addresses":          addressesWords(1024),
		"3\u00a0min\u00a03\u00a0s": lastingWords(183_000),
		"0.04\u00a0ms":             rttWords(40), "3.4\u00a0ms": rttWords(3400), "34\u00a0ms": rttWords(34_000),
		"87\u00a0%": percentWords(8700),
		"none of the 1,200 expected responders of 1,200 addresses answered": answerersWords(&outage.Outage{Kind: outage.Total, Expected: 1200_0000}, addressesWords(1200)),
		"Its 1 address is asked":    askedWords(1),
		"All 2 addresses are asked": askedWords(2),
		"31 addresses are":          isWords(addressesWords(31)),
		"198.18.0.0/22 is":          isWords("198.18.0.0/22"),
		"space is":                  isWords(outage.SpaceBlock),
		"0 of 1 address answer":     answeringWords(&outage.BlockStatus{Targets: 1}),
		"2 of 256 addresses answer": answeringWords(&outage.BlockStatus{Targets: 256, Responsive: 2}),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestAxisOfRoundTrips: whatever the slowest reply, it lies below the top of the axis, of which the words have room beside it.
func TestAxisOfRoundTrips(t *testing.T) {
	for us := uint32(1); us < 60_000_000; us += us/9 + 1 {
		s := &Series{}
		s.RTT.P90 = []*uint32{nil, &us}
		top := topOf(s)
		if top < float64(us) || top > max(2.5*float64(us), 1000) {
			t.Errorf("the top of %d us is %v", us, top)
		}
		for _, at := range []float64{top, top / 2} {
			if words := msWords(at); len(words) > len("80000 ms") {
				t.Errorf("the axis of %d us says %q", us, words)
			}
		}
	}
}

// TestAround: an outage of seconds, of rounds of seconds, is not lost in the hours around it; one of minutes has them.
func TestAround(t *testing.T) {
	start := between("2014-12-22 16:15:00", "2014-12-22 16:15:01", "2014-12-22 16:15:02")
	end := between("2014-12-22 16:15:40", "2014-12-22 16:15:41", "2014-12-22 16:15:42")
	o := &outage.Outage{Start: start, End: &end}
	for after, want := range map[outage.Seconds]probe.Instant{0: 2 * 3600_000, 11: 110_000, 768: 2 * 3600_000} {
		o.Power.TotalAfter = after
		from, to := around(o, instant("2014-12-23 16:00:00"))
		if before, later := start.Earliest-from, to-end.Latest; before != want || later != want {
			t.Errorf("found within %d s: %d ms before and %d after, want %d", after, before, later, want)
		}
	}
}

// TestLayouts proves that every address has a cell of its own, and that the /24s of a /22 are its quadrants.
func TestLayouts(t *testing.T) {
	for _, targets := range [][]string{{"198.18.0.0/22"}, {"198.18.0.0/24"}, {"198.18.0.0/20"}, {"198.18.0.0/21"}, {"198.18.0.1/32"},
		{"198.18.0.0/25", "198.18.7.16/28", "203.0.113.9/32"}, {"2001:db8::/120"}, {"2001:db8::1/128", "198.18.0.0/30"}} {
		space, err := probe.ParseSpace(targets, nil)
		if err != nil {
			t.Fatal(err)
		}
		l := layoutOf(space)
		taken := map[[2]int]int{}
		for i := range space.Len() {
			x, y := l.at(i)
			if was, ok := taken[[2]int{x, y}]; ok || x < 0 || y < 0 || x >= l.width || y >= l.height {
				t.Fatalf("%v: %v stands at %d,%d of %dx%d, as %d does", targets, space.Addr(i), x, y, l.width, l.height, was)
			}
			taken[[2]int{x, y}] = i
		}
	}
	space, _ := probe.ParseSpace([]string{"198.18.0.0/22"}, nil)
	l := layoutOf(space)
	for i := range space.Len() {
		x, y := l.at(i)
		if quadrant := [][2]int{{0, 0}, {0, 16}, {16, 16}, {16, 0}}[i/256]; x/16*16 != quadrant[0] || y/16*16 != quadrant[1] {
			t.Fatalf("%v stands at %d,%d", space.Addr(i), x, y)
		}
	}
}
