package agent

import (
	"fmt"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// commitIfDue commits on every transition, when a round is final, and every minute.
func (e *engine) commitIfDue(now probe.Instant) error {
	due := len(e.found.Changes)+len(e.found.Outages) > 0 || e.planner.Dirty() || now >= e.committed.Add(commitEvery)
	for _, u := range e.under {
		due = due || u.final
	}
	if !due {
		return nil
	}
	e.committed = now
	return e.commit(e.detector.Cursor())
}

func (e *engine) commit(cursor probe.Instant) error {
	snapshot, err := e.detector.MarshalBinary()
	if err != nil {
		return err
	}
	if state := e.planner.State(); state != nil {
		e.planned = state
	}
	c := store.Commit{Findings: e.found, Detector: snapshot, Cursor: cursor, NoticeState: e.planned}
	if c.Notices, err = encodeNotices(e.notices); err != nil {
		return err
	}
	var rest []*underWay
	for _, u := range e.under {
		if u.final {
			u.cancel()
			c.Sealed = append(c.Sealed, u.round)
			continue
		}
		// Should this be all that is left of the round, nobody will ever vouch for the silence since.
		soFar := *u.round
		soFar.Curtail(min(e.vouched, u.known))
		c.Rounds = append(c.Rounds, &soFar)
		rest = append(rest, u)
	}
	if err := e.Store.Commit(c); err != nil {
		return err
	}
	e.under, e.planned = rest, nil
	e.published(c.Sealed)
	for i := range e.found.Outages {
		e.tell(&e.found.Outages[i])
	}
	e.found = outage.Findings{}
	return nil
}

// tell logs an outage that opened, changed its kind, ended or was revised; what else changes of it is no news.
func (e *engine) tell(o *outage.Outage) {
	attrs := []any{"id", o.ID, "block", o.Block, "start", o.Start.At.String(), "kind", o.Kind.String(), "status", string(o.Status)}
	if n := len(o.Revisions); n > 0 {
		attrs = append(attrs, "revised", string(o.Revisions[n-1].Finding), "to", o.Revisions[n-1].Kind.String())
	}
	news := fmt.Sprint(attrs[6:]...)
	if e.told[o.ID] == news {
		return
	}
	if e.told == nil {
		e.told = map[string]string{}
	}
	e.told[o.ID] = news
	e.Log.Warn("outage", attrs...)
}

// report logs a full round in one line.
func (e *engine) report(r *probe.Round) {
	if r.Kind != probe.Full {
		return
	}
	answers, unsent := 0, 0
	for i := range r.Passes {
		answers += len(r.Passes[i].Answers)
		unsent += len(r.Passes[i].Unsent)
	}
	attrs := []any{"start", r.Start.String(), "answers", answers, "unsent", unsent}
	if b := e.detector.Blocks(); len(b) > 0 {
		attrs = append(attrs, "state", b[0].State.String(), "rate", b[0].ResponseRate.String(), "expected", b[0].Expected.String())
	}
	e.Log.Info("round", attrs...)
}

// stop judges and stores all that is known.
func (e *engine) stop() error {
	e.vouched = max(e.vouched, e.settled())
	var end probe.Instant
	for _, u := range e.under {
		if !u.final {
			u.cancel()
			<-u.sweep.Done()
			e.collect(u)
			e.conclude(u)
		}
		if err := e.detector.Put(u.round); err != nil {
			return err
		}
		end = max(end, u.round.Last()+1)
	}
	e.keep(e.detector.Advance(end))
	e.plan(probe.InstantOf(e.Clock.Now()))
	return e.commit(e.detector.Cursor())
}
