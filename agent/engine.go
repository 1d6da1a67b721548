package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"brownout/agent/notify"
	"brownout/agent/schedule"
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// engine sweeps, judges and commits: one goroutine that looks at everything in turn, so that what is judged, stored and
// shown is one sequence.
type engine struct {
	Clock     *probe.Clock
	Sweeper   *probe.Sweeper
	Vantage   *probe.Vantage
	Store     *store.Store
	BlockBits int
	Log       *slog.Logger
	Space     probe.Space
	Protocols []probe.Protocol
	Name      string // of the vantage
	Trusted   bool   // silence may make a total though no references vouch for it
	Round     time.Duration
	Core      time.Duration
	// ExtraPer24 is the sweeper's allowance for core passes and confirmations; 0: no cap.
	ExtraPer24 float64
	Watch      func(engineView)         // called after every look; nil: nobody watches
	Tell       func([]*notify.Notice)   // called after a commit that has some; nil: nobody is told
	Began      func(late time.Duration) // called when a full round begins; nil: nobody is told
	Sealed     func(*probe.Round)       // called with a round that is over, once it is stored; nil: nobody is told
	Stored     func(outage.Findings)    // called after every commit with what it found; nil: nobody is told

	planner   *notify.Planner
	notices   []*notify.Notice // since the last commit
	planned   []byte           // the planner's state, where the commit of it failed
	detector  *outage.Detector
	schedule  schedule.Schedule
	under     []*underWay
	found     outage.Findings // since the last commit
	committed probe.Instant
	told      map[string]string // of each outage, what was logged last
	vouched   probe.Instant     // the vantage's settled as of the latest look
	reading   reading           // of the latest look
}

// reading is what the clock said at one moment.
type reading struct {
	wall probe.Instant
	at   time.Time // with a monotonic reading, where the clock is real
}

// underWay is a sweep that is not over and done with.
type underWay struct {
	sweep  *probe.Sweep
	cancel context.CancelFunc // of the sweep
	round  *probe.Round       // as last looked at
	end    probe.Instant      // the latest End given out
	known  probe.Instant      // what became of everything sent before it is known
	final  bool               // the late window is over
}

// engineView is what a live view shows.
type engineView struct {
	Now      probe.Instant
	Judged   probe.Instant
	Blocks   []outage.BlockStatus
	Round    *probe.Round // the full round under way, so far; nil: none
	Full     *probe.Sweep // the same as a sweep
	Findings outage.Findings
}

const (
	commitEvery  = 60_000        // milliseconds on the clock
	longestRound = 25 * 3600_000 // milliseconds: rounds that began earlier than this are over
	confirmSpan  = 5 * time.Second
	lookEvery    = 2 * time.Second // or when something is due; each look takes in all of the round so far
	lookScaled   = 10 * time.Millisecond
	lookAgain    = 100 * time.Millisecond // where something is due already
	leapLimit    = time.Second            // what the wall clock may gain or lose on time from one look to the next
)

// run resumes from the store and goes on until ctx ends; then it stores how far it got. After a failure it does so at
// once.
func (e *engine) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := e.resume(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		if err := e.look(ctx); err != nil {
			if again := e.stop(); again != nil && again.Error() != err.Error() {
				err = errors.Join(err, again)
			}
			return err
		}
		timer.Reset(e.untilLook())
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return e.stop()
}

// untilLook is how long, in real time, the next look may wait.
func (e *engine) untilLook() time.Duration {
	if e.Clock.Scale() > 1 {
		return lookScaled
	}
	now := e.Clock.Now()
	due := e.schedule.Next(probe.InstantOf(now)).Time().Sub(now)
	if due <= 0 { // a confirmation; or the clock was set back, and is waited for
		due = lookAgain
	}
	return min(due, lookEvery)
}

// resume takes up the baseline, the open outages and the rounds that were not wholly judged.
func (e *engine) resume(ctx context.Context) error {
	e.schedule = schedule.Schedule{Round: e.Round.Milliseconds(), Core: e.Core.Milliseconds()}
	e.detector = outage.New(outage.Config{BlockBits: e.BlockBits})
	if err := e.resumePlanner(); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	learned, err := e.Store.Learned(e.BlockBits)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if learned.Detector == nil {
		return nil
	}
	if was := learned.Detector.BlockBits; was != e.BlockBits {
		return hint(fmt.Errorf("resume: the store was judged by blocks of /%d, and space.block_bits is %d", was, e.BlockBits),
			"set space.block_bits back, or move the store aside")
	}
	e.detector = learned.Detector
	e.keep(learned.Findings)
	if learned.Anew {
		e.Log.Warn("another version wrote the store, or what was learned is damaged: what is usual was learned anew from its rounds, and what was found before stays as it was",
			"rounds", learned.Rounds, "outages", len(learned.Findings.Outages), "changes", len(learned.Findings.Changes))
	}
	cursor := e.detector.Cursor()
	// What had been seen when the record was written, and not yet judged, is judged now; then those rounds are over.
	for r, err := range e.Store.Rounds(cursor.Add(-longestRound), outage.EndOfTime, false) {
		if err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		if r.Last() >= cursor {
			e.under = append(e.under, &underWay{cancel: func() {}, round: r, end: r.End, final: true})
		}
	}
	if err := e.await(ctx, cursor); err != nil {
		return err
	}
	e.missed(cursor, probe.InstantOf(e.Clock.Now()))
	return nil
}

// await lets the clock pass what has been judged: no round may begin before it.
func (e *engine) await(ctx context.Context, cursor probe.Instant) error {
	if err := e.behind(cursor); err != nil {
		return err
	}
	if err := e.Clock.SleepUntil(ctx, cursor.Time().Add(time.Millisecond)); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// behind is an error where the clock is so far behind what has been measured that waiting for it would be measuring nothing.
func (e *engine) behind(cursor probe.Instant) error {
	const patience = 10 * time.Minute
	if ahead := cursor.Time().Sub(e.Clock.Now()); ahead > patience {
		return fmt.Errorf("the store was written until %v, %v ahead of this machine's clock: set the clock, or move the store aside", cursor, ahead.Round(time.Second))
	}
	return nil
}

// look starts what is due, takes in what was observed, judges it, and commits what is worth it.
func (e *engine) look(ctx context.Context) error {
	read := e.Clock.Now()
	now := probe.InstantOf(read)
	if by := e.leapt(reading{now, read}); by.Abs() > leapLimit {
		e.Log.Warn("the clock was set or the machine was asleep; the rounds under way end here", "by", by.Round(time.Millisecond))
		e.endRounds()
	}
	e.vouched = e.settled()
	if cursor := e.detector.Cursor(); now < cursor { // the clock was set back: wait for it
		if err := e.behind(cursor); err != nil {
			return err
		}
	} else {
		if err := e.start(ctx, e.schedule.Due(now)); err != nil {
			return err
		}
	}
	mark := min(now, e.vouched)
	view := engineView{Now: now}
	for _, u := range e.under {
		decided := e.collect(u)
		if !u.final {
			mark = min(mark, decided)
		}
		if u.round.Kind == probe.Full {
			view.Round, view.Full = u.round, u.sweep
		}
		if err := e.detector.Put(u.round); err != nil {
			return err
		}
	}
	f := e.detector.Advance(mark)
	if f.Confirm {
		e.schedule.Ask()
	}
	e.keep(f)
	e.plan(now)
	if e.Watch != nil {
		view.Judged, view.Blocks, view.Findings = f.Judged, e.detector.Blocks(), f
		e.Watch(view)
	}
	return e.commitIfDue(now)
}

// leapt is by how much the wall clock went otherwise than time did since the latest look.
func (e *engine) leapt(now reading) time.Duration {
	was := e.reading
	e.reading = now
	if was.at.IsZero() {
		return 0
	}
	return time.Duration(now.wall-was.wall)*time.Millisecond - now.at.Sub(was.at)
}

// endRounds ends what is under way, as it was vouched for at the latest look, and lets the next round begin at once: what
// those sweeps would still observe, they would date by the clock of before.
func (e *engine) endRounds() {
	for _, u := range e.under {
		if u.final {
			continue
		}
		var known []probe.Window
		if u.round != nil {
			known = u.round.VantageBad
		}
		u.cancel()
		<-u.sweep.Done()
		e.collect(u)
		u.round.VantageBad = known
		e.conclude(u)
	}
	e.schedule = schedule.Schedule{Round: e.schedule.Round, Core: e.schedule.Core}
	e.committed = 0
}

// conclude makes a round final whose sweep we ended: nobody will vouch any more for the silence that nobody vouches for by
// now, and that is no sign of anything.
func (e *engine) conclude(u *underWay) {
	u.round.Curtail(e.vouched)
	u.final = true
}

// keep collects findings for the next commit.
func (e *engine) keep(f outage.Findings) {
	e.found.Judged = f.Judged
	e.found.Add(f)
	e.hear(f.Outages)
}
