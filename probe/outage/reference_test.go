package outage_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

var long = flag.Bool("long", false, "simulate as many years and cases as the project's figures are stated for")

// cases is a number of years or cases: few, or many with -long.
func cases(few, many int) int {
	if *long {
		return many
	}
	return few
}

// firstSeeds is the first few, or many with -long, and those that have gone wrong before.
func firstSeeds(few, many int, before ...uint64) (all []uint64) {
	n := uint64(cases(few, many))
	for seed := range n {
		all = append(all, seed)
	}
	return append(all, slices.DeleteFunc(before, func(seed uint64) bool { return seed < n })...)
}

const (
	minute = 60_000
	hour   = 60 * minute
	day    = 24 * hour
)

var elevenMinutes = lab.Cadence{Round: 11 * time.Minute, Confirm: true}

// watch lets an agent watch a simulation for so many milliseconds, and returns what it found. found, if there is one, is
// told at once.
func watch(t *testing.T, s *lab.Simulation, c lab.Cadence, ms int64, found func(outage.Findings)) *outage.History {
	t.Helper()
	h := &outage.History{}
	w := &lab.Watcher{
		Simulation: s, Detector: outage.New(outage.Config{}), Cadence: c,
		Line: func(r *probe.Round) { h.Until = max(h.Until, r.End) },
		Found: func(f outage.Findings) {
			if h.Add(f); found != nil {
				found(f)
			}
		},
	}
	if err := w.Run(s.Model().Start.Add(ms)); err != nil {
		t.Fatal(err)
	}
	w.Finish()
	return h
}

// TestP7FalseAlarms watches the reference world for years in which nothing happens but what always happens. What was
// called dark and was silent for more than 90 s is no false alarm. Without -long a year has 45 days.
func TestP7FalseAlarms(t *testing.T) {
	n := cases(1, 100)
	results := make(chan map[outage.State]int, n)
	t.Run("years", func(t *testing.T) {
		for seed := range uint64(n) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				results <- falseAlarms(t, elevenMinutes, seed, int64(cases(45, 365)*day))
			})
		}
	})
	close(results)
	sum := map[outage.State]int{}
	for r := range results {
		for state, count := range r {
			sum[state] += count
		}
	}
	t.Logf("%d years: %d false totals, %d false partials, and %d silences that were true", n, sum[outage.Total], sum[outage.Partial], sum[outage.Up])
	if sum[outage.Total] > cases(0, 4) || sum[outage.Partial] > cases(2, 100) {
		t.Errorf("more than %d totals or %d partials", cases(0, 4), cases(2, 100))
	}
}

// TestP7OtherCadences does the same at other rounds, and with core passes: ten years each with -long, whose bound is wider.
func TestP7OtherCadences(t *testing.T) {
	for _, c := range []lab.Cadence{
		{Round: 5 * time.Minute, Confirm: true}, {Round: time.Hour, Confirm: true}, {Round: 11 * time.Minute},
		{Round: 11 * time.Minute, Core: time.Minute, Confirm: true},
	} {
		t.Run(fmt.Sprintf("%v core %v confirm %v", c.Round, c.Core, c.Confirm), func(t *testing.T) {
			t.Parallel()
			years, days := cases(1, 10), cases(15, 365)
			if c.Core > 0 && !*long {
				days = 3 // core passes take long
			}
			sum := map[outage.State]int{}
			for seed := range uint64(years) {
				for state, count := range falseAlarms(t, c, seed, int64(days*day)) {
					sum[state] += count
				}
			}
			t.Logf("%d times %d days: %d false totals, %d false partials, and %d silences that were true", years, days, sum[outage.Total], sum[outage.Partial], sum[outage.Up])
			if sum[outage.Total] > cases(0, 2) || sum[outage.Partial] > cases(1, 15) {
				t.Errorf("more than %d totals or %d partials", cases(0, 2), cases(1, 15))
			}
		})
	}
}

// falseAlarms counts the outages of the reference world that were none, by kind; as up, those that were.
func falseAlarms(t *testing.T, c lab.Cadence, seed uint64, ms int64) map[outage.State]int {
	count := map[outage.State]int{}
	s := lab.NewSimulation(lab.Reference(seed), seed)
	watch(t, s, c, ms, func(f outage.Findings) {
		for _, o := range f.Outages {
			switch {
			case o.Status != outage.Ended:
			case len(o.Dark) > 0 && s.SilentFor(o.Start.Earliest, o.End.Latest, o.Dark) > 90_000:
				count[outage.Up]++
			default:
				count[o.Kind]++
				t.Logf("%s %v until %v, dark %v, rate %v", o.ID, o.Kind, o.End.At, o.Dark, o.ResponseRate)
			}
		}
	})
	return count
}

// totals adds n total outages of two rounds to three hours to a model, and returns how long it then lasts.
func totals(m *lab.Model, seed uint64, n int) int64 {
	rng := rand.New(rand.NewPCG(seed, 9))
	at := m.Start.Add(2 * day)
	for range n {
		length := int64(22*minute + rng.Int64N(3*hour))
		m.Events = append(m.Events, lab.Event{From: at, To: at.Add(length), Effect: lab.Darkens})
		at = at.Add(length + 8*hour + rng.Int64N(12*hour))
	}
	return int64(at - m.Start)
}

// measured is how the totals of a space were found, times in milliseconds.
type measured struct {
	true, found, held    int
	starts, ends, delays []int64 // widths of intervals, and from the true start to the declaration
	extra                int     // outages of the space that overlap none
}

func (m *measured) compare(t *testing.T, truth []lab.Event, found []outage.Outage) {
	for _, o := range found {
		if !slices.ContainsFunc(truth, func(e lab.Event) bool { return meets(&o, &e) }) {
			m.extra++
			t.Logf("extra: %s %v until %v, dark %v, rate %v", o.ID, o.Kind, o.End, o.Dark, o.ResponseRate)
		}
	}
	for i := range truth {
		e := &truth[i]
		m.true++
		k := slices.IndexFunc(found, func(o outage.Outage) bool { return o.Kind == outage.Total && o.End != nil && meets(&o, e) })
		if k < 0 {
			t.Logf("missed: %v to %v", e.From, e.To)
			continue
		}
		o := &found[k]
		m.found++
		if inside(o.Start, e.From) && inside(*o.End, e.To) {
			m.held++
		} else {
			t.Logf("%v to %v is not held by %+v %+v", e.From, e.To, o.Start, *o.End)
		}
		m.starts = append(m.starts, int64(o.Start.Latest-o.Start.Earliest))
		m.ends = append(m.ends, int64(o.End.Latest-o.End.Earliest))
		m.delays = append(m.delays, int64(o.DeclaredAt-e.From))
	}
}

func meets(o *outage.Outage, e *lab.Event) bool {
	return o.Start.Earliest < e.To && (o.End == nil || o.End.Latest > e.From)
}

func inside(in outage.Interval, t probe.Instant) bool { return in.Earliest <= t && t <= in.Latest }

// quantile is the value that a share of the list, in hundredths, does not exceed.
func quantile(list []int64, percent int) int64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[(len(list)-1)*percent/100]
}

// TestP4Reference finds totals of the reference world: all of them, with intervals that hold the truth, as narrow and as
// soon as DESIGN's figures say. Their median width is that of starts and ends together.
func TestP4Reference(t *testing.T) {
	for _, c := range []struct {
		core                  time.Duration
		width, delay, longest int64
	}{
		{core: 0, width: 45_000, delay: 2 * 11 * minute, longest: 2 * 11 * minute},
		{core: time.Minute, width: 8_000, delay: 90_000, longest: 2 * 11 * minute},
	} {
		t.Run(fmt.Sprint("core ", c.core), func(t *testing.T) {
			var got measured
			for seed := range uint64(cases(3, 6)) {
				m := lab.Reference(seed)
				lasts := totals(&m, seed, cases(3, 60))
				h := watch(t, lab.NewSimulation(m, seed), lab.Cadence{Round: 11 * time.Minute, Core: c.core, Confirm: true}, lasts, nil)
				got.compare(t, m.Events, h.Outages(false))
			}
			t.Logf("%d of %d found, %d held; widths of starts %d ms (99th: %d), of ends %d (%d); declared after %d (%d); %d others",
				got.found, got.true, got.held, quantile(got.starts, 50), quantile(got.starts, 99), quantile(got.ends, 50), quantile(got.ends, 99),
				quantile(got.delays, 50), quantile(got.delays, 100), got.extra)
			if got.found != got.true || 100*got.held < 99*got.true && *long || got.true-got.held > 1 && !*long {
				t.Errorf("not all are found, or held by their intervals")
			}
			if !*long {
				c.width += c.width / 2 // the median of a few
			}
			if width := quantile(slices.Concat(got.starts, got.ends), 50); width > c.width {
				t.Errorf("the median of all is %d ms, more than %d", width, c.width)
			}
			if quantile(got.delays, 50) > c.delay || quantile(got.delays, 100) > c.longest {
				t.Errorf("declared too late")
			}
		})
	}
}
