package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// liveAgent is what the API tells of the agent that runs: as of now, as it happens, and in numbers. It outlives a change of
// the configuration.
type liveAgent struct {
	started probe.Instant
	config  atomic.Pointer[Config] // in effect
	engine  atomic.Pointer[engine] // that measures now
	view    atomic.Pointer[engineView]
	feed    *web.Feed
	metrics *web.Metrics
	told    time.Time // when the feed was last told how things stand; of the engine's goroutine
}

func newLiveAgent(c *Config, s *store.Store, self *selfObserver) *liveAgent {
	known, _ := s.Outages() // what cannot be read now, the engine will say
	return &liveAgent{started: probe.InstantOf(time.Now()), feed: &web.Feed{}, metrics: web.NewMetrics(web.MetricsConfig{
		Version: readBuildInfo().Version, Protocols: c.Probe.Protocols, Deliveries: self.deliveries, StoreSize: sizeOf(s.Path()), Known: known,
	})}
}

// follow makes it tell of an engine that is about to run.
func (l *liveAgent) follow(c *Config, e *engine) {
	e.Watch, e.Stored = l.watch, l.stored
	l.config.Store(c)
	l.engine.Store(e)
}

// sizeOf asks for a file's size; one that cannot be asked about has none.
func sizeOf(path string) func() int64 {
	return func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
}

// options are the handler's.
func (l *liveAgent) options(reload func(context.Context) error, log *slog.Logger) web.Options {
	c, e := l.config.Load(), l.engine.Load()
	return web.Options{
		Live: l.agent, Ready: l.ready, Alive: l.alive, Reload: reload, Feed: l.feed, Metrics: l.metrics, About: c.about(), Now: e.Clock.Now,
		Authenticated: c.authenticated, Log: log,
	}
}

// statusEvery is how often the feed is told how things stand.
const statusEvery = 500 * time.Millisecond

// watch is the engine's: it must not wait for anybody.
func (l *liveAgent) watch(v engineView) {
	l.view.Store(&v)
	if now := time.Now(); now.Sub(l.told) >= statusEvery && l.feed.Heard() {
		l.told = now
		l.feed.Tell("status", web.Moment{Now: v.Now, Judged: v.Judged, Blocks: v.Blocks, Agent: l.agent()})
	}
}

func (l *liveAgent) began(late time.Duration) { l.metrics.Began(late) }

func (l *liveAgent) sealed(r *probe.Round) {
	l.metrics.Sealed(r)
	if l.feed.Heard() {
		l.feed.Tell("round", web.Describe(r))
	}
}

func (l *liveAgent) stored(f outage.Findings) {
	l.metrics.Found(f)
	for i := range f.Changes {
		l.feed.Tell("change", &f.Changes[i])
	}
	for i := range f.Outages {
		o := f.Outages[i]
		o.FillLists()
		l.feed.Tell("outage", &o)
	}
}

func (l *liveAgent) agent() *web.Agent {
	e := l.engine.Load()
	out := &web.Agent{Version: readBuildInfo().Version, PID: os.Getpid(), Started: l.started, Vantage: e.Name, Healthy: e.healthy(), Checked: e.Vantage.Verified()}
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
	e := l.engine.Load()
	late := e.Clock.Now().Sub(v.Judged.Time()) // a stuck engine says nothing of the time itself
	if late > 2*e.Round+outage.JudgingLag*time.Millisecond {
		return fmt.Errorf("nothing has been judged since %v", v.Judged)
	}
	if late < -2*e.Round {
		return fmt.Errorf("the clock was set back: all has been judged until %v, and nothing is probed until then", v.Judged)
	}
	return nil
}

// alive is nil while the engine looks at what it measures.
func (l *liveAgent) alive() error {
	e := l.engine.Load()
	if v := l.view.Load(); v != nil && e.Clock.Now().Sub(v.Now.Time()) > watchdogPatience(e.Round) {
		return fmt.Errorf("the engine has stood still since %v", v.Now)
	}
	return nil
}

// about is what the page says of who probes, and how.
func (c *Config) about() web.About {
	p := &c.Probe
	var names []string
	for _, q := range p.Protocols {
		names = append(names, q.String())
	}
	core := "off"
	if p.CoreInterval > 0 {
		core = "every " + shortDuration(p.CoreInterval)
	}
	return web.About{
		Operator: c.About.Operator, Purpose: c.About.Purpose, OptOut: c.About.OptOut, Contact: p.Contact, Vantage: c.Vantage.Name, Protocols: names,
		Settings: []web.Setting{
			{Name: "Probed", Value: fmt.Sprintf("%s (%s)", c.Targets, addressCount(c.Targets.Len()))},
			{Name: "Protocols", Value: strings.Join(names, ", ")},
			{Name: "A round lasts", Value: shortDuration(p.Round)},
			{Name: "A probe waits", Value: shortDuration(p.Timeout) + ", and a late reply is taken up to " + shortDuration(p.LateWindow)},
			{Name: "Asked again when silent", Value: strconv.Itoa(p.Retries) + " more, of those that usually answer"},
			{Name: "Between rounds", Value: core},
			{Name: "At most", Value: c.mostSent()},
			{Name: "References", Value: strconv.Itoa(len(c.Vantage.References)) + ", to vouch for our own connectivity"},
		},
	}
}

// mostSent is how fast it probes at most: the configured rates, or what the rounds take that may be faster.
func (c *Config) mostSent() string {
	p := &c.Probe
	icmp, _ := countProtocols(p.Protocols)
	seconds := p.Round.Seconds()
	all, per24 := max(float64(p.Rate), math.Ceil(float64(c.Targets.Len()*len(p.Protocols))/seconds)), p.RatePer24
	for _, g := range c.Targets.Groups(24) {
		per24 = max(per24, math.Ceil(100*float64((g.To-g.From)*icmp)/seconds)/100)
	}
	words := fmt.Sprintf("%g packets a second in all", all)
	if icmp > 0 {
		words += fmt.Sprintf("; first ICMP probes %g a second to a /24", per24)
	}
	return words
}
