package web

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// params reads the parameters of a request. Each is asked for once; done then refuses the others.
type params struct {
	query url.Values
	now   time.Time
	known []string
	errs  []error
}

func newParams(u *url.URL, now time.Time) params {
	query, err := url.ParseQuery(u.RawQuery)
	p := params{query: query, now: now}
	if err != nil {
		p.errs = append(p.errs, badParameter("query", err.Error()))
	}
	return p
}

// get is a parameter's one value, or "".
func (p *params) get(name string) string {
	p.known = append(p.known, name)
	if len(p.query[name]) > 1 {
		p.fail(name, "is given more than once")
	}
	return p.query.Get(name)
}

func (p *params) fail(name, detail string) { p.errs = append(p.errs, badParameter(name, detail)) }

// word is one of a few, the first by default.
func (p *params) word(name string, words ...string) string {
	s := p.get(name)
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, s) {
		p.fail(name, fmt.Sprintf("%q is none of %s", s, strings.TrimPrefix(strings.Join(words, ", "), ", ")))
		return words[0]
	}
	return s
}

// format is "json" or "csv".
func (p *params) format() string { return p.word("format", "json", "csv") }

func (p *params) truth(name string) bool {
	s := p.get(name)
	if s == "" {
		return false
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		p.fail(name, fmt.Sprintf("%q is neither true nor false", s))
	}
	return b
}

// limit is how many there may be at most; 0 in the request is all.
func (p *params) limit(byDefault int) int {
	s := p.get("limit")
	if s == "" {
		return byDefault
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > mostRows {
		p.fail("limit", fmt.Sprintf("%q is no number from 0 (all there may be) to %d", s, mostRows))
	}
	if n == 0 {
		return mostRows
	}
	return n
}

// mostRows is how long a list may be.
const mostRows = 1_000_000

// number is one from least to most.
func (p *params) number(name string, byDefault, least, most int) int {
	s := p.get(name)
	if s == "" {
		return byDefault
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		p.fail(name, fmt.Sprintf("%q is no number from %d to %d", s, least, most))
		return byDefault
	}
	return n
}

// span is the time from since on and before until; all of it by default.
func (p *params) span() (from, to probe.Instant) { return p.spanOr(0, outage.EndOfTime) }

// spanOr is the time from since on and before until, with their defaults.
func (p *params) spanOr(from, to probe.Instant) (probe.Instant, probe.Instant) {
	if s := p.get("since"); s != "" {
		from = p.moment("since", s)
	}
	if s := p.get("until"); s != "" {
		to = p.moment("until", s)
	}
	if from > to {
		p.fail("since", "is after until")
	}
	return from, to
}

func (p *params) moment(name, s string) probe.Instant {
	t, err := ParseTime(s, p.now)
	if err != nil {
		p.fail(name, err.Error())
	}
	return t
}

// done is what is wrong with the parameters, those that nobody asked for included.
func (p *params) done() error {
	for _, name := range slices.Sorted(maps.Keys(p.query)) {
		if !slices.Contains(p.known, name) {
			slices.Sort(p.known)
			p.fail(name, "there is no such parameter here; there are: "+strings.Join(p.known, ", "))
		}
	}
	if len(p.errs) == 0 {
		return nil
	}
	return p.errs[0]
}

var errTime = errors.New("want RFC 3339 (2014-12-22T16:15:00Z), unix seconds, or a time before now (-24h, -7d)")

// ParseTime reads RFC 3339 (a date alone is its midnight in UTC), unix seconds, or a duration before now: "-24h", "-7d".
func ParseTime(s string, now time.Time) (probe.Instant, error) {
	wrong := fmt.Errorf("%q is no time: %w", s, errTime)
	if ago, ok := strings.CutPrefix(s, "-"); ok {
		d, err := parseAgo(ago)
		if err != nil {
			return 0, wrong
		}
		return probe.InstantOf(now.Add(-d)), nil
	}
	if s == "now" {
		return probe.InstantOf(now), nil
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		if !(seconds >= 0 && seconds < 1e11) {
			return 0, wrong
		}
		return probe.Instant(math.Round(seconds * 1000)), nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return probe.InstantOf(t), nil
	}
	t, err := probe.ParseInstant(strings.Replace(s, " ", "+", 1)) // a query's "+" is a space
	if err != nil {
		return 0, wrong
	}
	return t, nil
}

// parseAgo is time.ParseDuration with days and weeks.
func parseAgo(s string) (time.Duration, error) {
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if s == "" {
		return 0, errTime
	}
	if u := unit[s[len(s)-1]]; u != 0 {
		n, err := strconv.ParseFloat(s[:len(s)-1], 64)
		if err != nil || !(n >= 0 && n < 1e5) {
			return 0, errTime
		}
		return time.Duration(n * float64(u)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errTime
	}
	return d, nil
}
