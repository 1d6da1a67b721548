package main

import "brownout/probe"

const (
	hour = 3600_000 // milliseconds
	day  = 24 * hour
	week = 7 * day
)

// window is the counts of the last seven days.
type window struct {
	times  []probe.Instant
	counts []int
	number []int // of entries, by count
	since  probe.Instant
}

// put adds a count, and forgets what is a week older.
func (w *window) put(t probe.Instant, count int) {
	if w.since == 0 {
		w.since = t
	}
	for len(w.number) <= count {
		w.number = append(w.number, 0)
	}
	w.number[count]++
	w.times, w.counts = append(w.times, t), append(w.counts, count)
	for w.times[0] <= t-week {
		w.number[w.counts[0]]--
		w.times, w.counts = w.times[1:], w.counts[1:]
	}
}

// full reports whether the window reaches back a week from t.
func (w *window) full(t probe.Instant) bool { return w.since != 0 && t-w.since >= week }

// least is the smallest count.
func (w *window) least() int { return w.ranked(1) }

func (w *window) median() int { return w.ranked((len(w.counts) + 1) / 2) }

// ranked is the count of a rank, from 1.
func (w *window) ranked(rank int) int {
	for count, n := range w.number {
		if rank -= n; rank <= 0 {
			return count
		}
	}
	return 0
}
