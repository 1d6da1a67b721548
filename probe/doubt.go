package probe

import "time"

// How the silent of an unpaced sweep are asked again.
const (
	doubtRounds  = 6      // times at most
	doubtRate    = 10_000 // packets a second
	doubtSeconds = 3      // for which many are asked at most
	doubtSlower  = 3      // times that both are halved: in a large space asking again takes 24 s at most
)

// doubt, at the end of an unpaced pass, asks the silent again, for any packet may have been lost unseen: more slowly each time,
// and for as long as that finds life. It says how long to wait before it can be told.
func (w *Sweep) doubt() (wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.flood
	now := time.Since(w.base)
	f.settle(now)
	if w.sure || w.undecided == 0 || len(w.log) == 0 {
		return longestSleep
	}
	since := now - w.sentOf(w.log[len(w.log)-1])
	if left := f.patience - since; left > 0 {
		return left
	}
	switch {
	case w.doubted > 0 && w.foundAgain == 0:
		// Nobody yet. From afar answers take longer; and before its timeout no silence is judged anyway.
		if left := w.sweeper.cfg.Timeout - since; left > 0 {
			return min(left, leastPatience)
		}
	case w.doubted < doubtRounds && !w.slowEnough():
		w.again = w.silent()
	}
	if len(w.again) == 0 {
		w.sure = true
		return 0
	}
	// Which share of them lives is unknown: the rate alone counts.
	f.judging, f.live = false, 0
	slower := float64(int(1) << min(w.doubted, doubtSlower))
	f.rate = min(f.rate, max(float64(len(w.again))/doubtSeconds, doubtRate)/slower)
	w.doubted++
	w.foundAgain = 0
	return 0
}

// slowEnough reports whether a cap kept the pass at a pace at which the silent would be asked again at last, and nothing was lost.
func (w *Sweep) slowEnough() bool {
	perSecond := int64(w.sweeper.cfg.Rate) * w.sweeper.cfg.Clock.Scale()
	return perSecond > 0 && perSecond <= doubtRate>>doubtSlower && !w.flood.slowed
}

// silent lists the next attempts at the services that have not answered, as far as their blocks' allowances go.
func (w *Sweep) silent() (again []attemptRef) {
	limits, now := w.sweeper.limits, w.sweeper.cfg.Clock.Now()
	for i := range w.table {
		v := &w.table[i]
		if v.decided() || v.attempts() == 0 || v.attempts() == maxAttempts {
			continue
		}
		if ok, _ := limits.extra(now, w.target(i), w.protocol(i)); ok {
			again = append(again, refOf(i, v.attempts()))
		}
	}
	return again
}

// doubting reports whether an unpaced sweep may yet ask silent services again because it doubts their silence.
func (w *Sweep) doubting() bool { return w.flood != nil && !w.sure }
