package agent

import (
	"encoding/json"
	"time"

	"brownout/agent/notify"
	"brownout/probe"
	"brownout/probe/outage"
)

// lateFactor is how many rounds may pass without a probe before that is a gap, and news.
const lateFactor = 2.5

// resumePlanner takes up what was told of.
func (e *engine) resumePlanner() error {
	state, err := e.Store.NoticeState()
	if err != nil {
		return err
	}
	found, err := e.Store.Outages()
	if err != nil {
		return err
	}
	return e.planner.Restore(state, found)
}

// missed tells of the time in which no agent ran.
func (e *engine) missed(from, to probe.Instant) {
	if away := time.Duration(to-from) * time.Millisecond; away.Seconds() > lateFactor*e.Round.Seconds() {
		e.Log.Warn("no agent ran for longer than rounds may be apart; the time between is unknown", "since", from.String(), "for", away.Round(time.Second))
		e.planner.Late(away, to)
	}
}

// hear puts what was found before the planner.
func (e *engine) hear(found []outage.Outage) {
	now := probe.InstantOf(e.Clock.Now())
	for i := range found {
		e.planner.Outage(&found[i], now)
	}
}

// plan collects what is to be told, for the next commit.
func (e *engine) plan(now probe.Instant) {
	e.planner.Vantage(e.Vantage.Health(), now)
	e.notices = append(e.notices, e.planner.Due(now)...)
}

func encodeNotices(list []*notify.Notice) ([][]byte, error) {
	var out [][]byte
	for _, n := range list {
		b, err := json.Marshal(n)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// published tells those who wait for it what was committed.
func (e *engine) published(sealed []*probe.Round) {
	if e.Tell != nil && len(e.notices) > 0 {
		e.Tell(e.notices)
	}
	e.notices = nil
	if e.Stored != nil {
		e.Stored(e.found)
	}
	for _, r := range sealed {
		e.report(r)
		if e.Sealed != nil {
			e.Sealed(r)
		}
	}
}
