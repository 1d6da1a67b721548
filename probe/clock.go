package probe

import (
	"context"
	"sync"
	"time"
)

// Clock is the one door through which time comes into a sweep, a schedule and a lab. The zero value is the real clock.
//
// A scaled clock runs Scale times as fast from a start of its choosing, for simulated timelines over real sockets. The
// wire is not scaled: a timeout or round trip of 1 ms lasts Scale ms on the clock. Nor does a scaled clock run away from
// a busy machine: between two readings it advances by at most [StallLimit] of real time, so it waits out a stall.
type Clock struct {
	scale int64 // 0: the real clock

	mu   sync.Mutex
	at   time.Time // the scaled time of the latest reading
	read time.Time // the real time of the latest reading
}

// StallLimit is the lateness of a wake-up, in real time, beyond which a scaled clock waits.
const StallLimit = 20 * time.Millisecond

// NewScaledClock starts a clock at start that runs scale (>= 1) times as fast as the real one. Until ctx ends it reads
// itself every few milliseconds, so that only a stall of the whole process can outlast StallLimit.
func NewScaledClock(ctx context.Context, start time.Time, scale int64) *Clock {
	c := &Clock{scale: max(scale, 1), at: start.Round(0).UTC(), read: time.Now()}
	go func() {
		tick := time.NewTicker(StallLimit / 5)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				c.Now()
			}
		}
	}()
	return c
}

// Scale is how many seconds of the clock pass in a real one.
func (c *Clock) Scale() int64 { return max(c.scale, 1) }

// Now is the time on the clock. On the real clock it carries a monotonic reading, so that differences survive a stepped
// wall clock.
func (c *Clock) Now() time.Time {
	if c.scale == 0 {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.at = c.at.Add(min(now.Sub(c.read), StallLimit) * time.Duration(c.scale))
	c.read = now
	return c.at
}

// SleepUntil returns when the clock has reached t, or with ctx's error when that ends first.
func (c *Clock) SleepUntil(ctx context.Context, t time.Time) error {
	for {
		d := t.Sub(c.Now())
		if d <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer((d + time.Duration(c.Scale()) - 1) / time.Duration(c.Scale()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
