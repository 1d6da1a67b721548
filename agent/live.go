package agent

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"brownout/agent/web"
	"brownout/probe"
)

// liveAgent is what the API tells of the agent that runs. It outlives a change of the configuration.
type liveAgent struct {
	started probe.Instant
	engine  atomic.Pointer[engine] // that measures now
	view    atomic.Pointer[engineView]
}

// follow makes it tell of an engine that is about to run.
func (l *liveAgent) follow(e *engine) {
	e.Watch = func(v engineView) { l.view.Store(&v) }
	l.engine.Store(e)
}

func (l *liveAgent) agent() *web.Agent {
	e := l.engine.Load()
	out := &web.Agent{Version: readBuildInfo().Version, PID: os.Getpid(), Started: l.started, Vantage: e.Name, Healthy: e.healthy()}
	if v := l.view.Load(); v != nil && v.Full != nil {
		out.Round = &web.Progress{Start: v.Round.Start}
		out.Round.Sent, out.Round.Planned, out.Round.Answered = v.Full.Progress()
	}
	return out
}

// healthy reports whether silence counts: somebody vouches for our own connectivity, or nobody is asked to.
func (e *engine) healthy() bool {
	h := e.Vantage.Health()
	return h.OK || e.Trusted && !h.Sick
}

// ready is nil while observations keep being judged.
func (l *liveAgent) ready() error {
	v := l.view.Load()
	if v == nil {
		return errors.New("the first round has not begun")
	}
	if late := time.Duration(v.Now-v.Judged) * time.Millisecond; late > 2*l.engine.Load().Round {
		return fmt.Errorf("nothing has been judged since %v", v.Judged)
	}
	return nil
}
