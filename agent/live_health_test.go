package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe"
)

// An engine that is stuck is neither ready nor, after a while, alive; nor is it ready where the clock was set back.
func TestHealthOfAStuckEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l liveAgent
		l.engine.Store(&engine{Clock: &probe.Clock{}, Round: 11 * time.Minute})
		check := func(what string, ready, alive bool) {
			t.Helper()
			if is := l.ready(); (is == nil) != ready {
				t.Errorf("%s: ready: %v", what, is)
			}
			if is := l.alive(); (is == nil) != alive {
				t.Errorf("%s: alive: %v", what, is)
			}
		}
		check("at first", false, true)
		now := probe.InstantOf(time.Now())
		l.view.Store(&engineView{Now: now, Judged: now.Add(-20_000)})
		check("after a look", true, true)
		time.Sleep(25 * time.Minute)
		check("a while later", false, true)
		time.Sleep(25 * time.Minute)
		check("long after", false, false)
		now = probe.InstantOf(time.Now())
		l.view.Store(&engineView{Now: now, Judged: now.Add(3600_000)})
		check("with the clock set back", false, true)
	})
}

// A healthy engine of short rounds is ready, though what it judges lags behind by more than two of them: references vouch every 10 s.
func TestShortRoundsAreReady(t *testing.T) {
	var l liveAgent
	l.engine.Store(&engine{Clock: &probe.Clock{}, Round: 2 * time.Second})
	now := probe.InstantOf(time.Now())
	l.view.Store(&engineView{Now: now, Judged: now.Add(-14_000)})
	if err := l.ready(); err != nil {
		t.Error(err)
	}
}
