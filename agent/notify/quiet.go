package notify

import (
	"fmt"
	"strings"
	"time"
)

// Quiet is hours in which a channel keeps still. The zero value is never. A total outage is told all the same, with what
// waited before it, unless Always.
type Quiet struct {
	From, To time.Duration // after midnight; To may be before From
	Zone     *time.Location
	Always   bool
}

// ParseQuiet reads "22:00-07:00", in UTC, or "22:00-07:00 Asia/Seoul"; "" is never.
func ParseQuiet(s string) (q Quiet, err error) {
	if s == "" {
		return Quiet{}, nil
	}
	hours, zone, named := strings.Cut(s, " ")
	from, to, ok := strings.Cut(hours, "-")
	if q.Zone = time.UTC; named {
		if q.Zone, err = time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
			return Quiet{}, fmt.Errorf("%q is no time zone, like Europe/Berlin", zone)
		}
	}
	var errFrom, errTo error
	q.From, errFrom = parseHour(from)
	q.To, errTo = parseHour(to)
	if !ok || errFrom != nil || errTo != nil || q.From == q.To {
		return Quiet{}, fmt.Errorf(`want two times of day, like "22:00-07:00" or "22:00-07:00 Europe/Berlin"`)
	}
	return q, nil
}

func parseHour(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// wait is how long a message must wait; 0: not at all.
func (q *Quiet) wait(now time.Time, s Severity) time.Duration {
	if q.Zone == nil || s == Critical && !q.Always {
		return 0
	}
	now = now.In(q.Zone)
	for _, day := range []int{-1, 0} { // of the hours that began yesterday, and today
		from, to := q.on(now, day)
		if !now.Before(from) && now.Before(to) {
			return to.Sub(now)
		}
	}
	return 0
}

// on is the quiet hours that begin some days after now's. Days are not all of 24 hours.
func (q *Quiet) on(now time.Time, days int) (from, to time.Time) {
	at := func(days int, d time.Duration) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, int(d.Hours()), int(d.Minutes())%60, 0, 0, q.Zone)
	}
	if q.To < q.From {
		return at(days, q.From), at(days+1, q.To)
	}
	return at(days, q.From), at(days, q.To)
}
