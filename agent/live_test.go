package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

// fastAgent is an agent on a simulated world whose clock runs 600 times as fast, and its server.
func fastAgent(t *testing.T) (*engine, *httptest.Server) {
	t.Helper()
	s := simulated{name: "live", hours: 12, timeline: phase("01T03:03:20", "01T03:43:20", "total")}
	e, _, server := agentIn(t, s.scenario(t, 1), new(atomic.Bool))
	return e, server
}

// agentIn is an agent on a scenario's world, whose clock runs 600 times as fast, what it tells, and its server. While it is
// dark, nothing reaches the space.
func agentIn(t *testing.T, scenario *lab.Scenario, dark *atomic.Bool) (*engine, *liveAgent, *httptest.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	clock := probe.NewScaledClock(ctx, scenario.Start.Time(), 600)
	sim, err := openSimulation(ctx, &demoOptions{inProcess: true}, scenario, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.close)
	openWire := sim.seams.openWire
	sim.seams.openWire = func(kind probe.Protocol, sink func(probe.Arrival)) (probe.Wire, error) {
		wire, err := openWire(kind, sink)
		return &cutWire{wire, dark}, err
	}
	st := openTestStore(t, filepath.Join(t.TempDir(), "live.db"))
	e, closeAll, err := sim.config.engineOn(clock, st, slog.New(slog.DiscardHandler), sim.seams)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeAll)
	live := newLiveAgent(sim.config, st, &selfObserver{})
	live.follow(sim.config, e)
	e.Sealed = live.sealed
	server := httptest.NewServer(web.Handler(st, live.options(nil, slog.New(slog.DiscardHandler))))
	t.Cleanup(server.Close)
	t.Cleanup(live.feed.Close)
	return e, live, server
}

// cutWire takes packets, and loses them while it is dark.
type cutWire struct {
	probe.Wire
	dark *atomic.Bool
}

func (w *cutWire) Send(packets []probe.Packet) {
	if !w.dark.Load() {
		w.Wire.Send(packets)
		return
	}
	for i := range packets {
		packets[i].Err = nil
	}
}

// TestStreamDoesNotDelayRounds has 50 clients listen, half of which never read, while rounds go on: each reader hears of
// every round, and whoever does not read is waited for by nobody.
func TestStreamDoesNotDelayRounds(t *testing.T) {
	e, server := fastAgent(t)
	const rounds = 3
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // for rounds that are waited for in vain
	defer cancel()
	var heard [25]atomic.Int64
	var done atomic.Int64 // readers that heard of every round
	var listeners sync.WaitGroup
	for i := range 50 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+web.Prefix+"stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("client %d: %v", i, err)
		}
		defer resp.Body.Close()
		if i < len(heard) {
			listeners.Go(func() {
				_ = eachEvent(resp.Body, func(name string, data []byte) error { // it ends with the test
					if name == "round" && bytes.Contains(data, []byte(`"kind":"round"`)) {
						if heard[i].Add(1) == rounds && done.Add(1) == int64(len(heard)) {
							cancel()
						}
					}
					return nil
				})
			})
		}
	}
	sealed := 0
	publish := e.Sealed
	e.Sealed = func(r *probe.Round) {
		if sealed == rounds {
			return // who missed one is not to make up for it by another
		}
		publish(r)
		if r.Kind == probe.Full {
			sealed++
		}
	}
	if err := e.run(ctx); err != nil {
		t.Fatal(err)
	}
	listeners.Wait()
	for i := range heard {
		if n := heard[i].Load(); n < rounds {
			t.Errorf("client %d heard of %d rounds, want %d", i, n, rounds)
		}
	}
}

// TestWatch watches an agent, and sees its rounds and its state.
func TestWatch(t *testing.T) {
	e, server := fastAgent(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, done := make(chan struct{}), make(chan error, 1)
	publish := e.Sealed
	var once sync.Once
	e.Sealed = func(r *probe.Round) {
		publish(r)
		once.Do(func() { close(first) })
	}
	go func() { done <- e.run(ctx) }()
	<-first
	out := &lines{}
	a := &app{stdin: strings.NewReader(""), stdout: out, stderr: io.Discard}
	ask, err := dialURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	watching, stop := context.WithCancel(ctx)
	out.enough = func(s string) bool { return strings.Count(s, "\n") >= 2 }
	out.stop = stop
	if err := a.watch(watching, ask); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.text.String(), "addresses answered") && !strings.Contains(out.text.String(), "expected answer") {
		t.Errorf("it says:\n%s", out.text.String())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := dialURL("probe.example:8413"); err == nil {
		t.Error("what is no URL was taken for one")
	}
}

// lines is a writer that stops its watcher once it has enough.
type lines struct {
	text   bytes.Buffer
	enough func(string) bool
	stop   context.CancelFunc
}

func (l *lines) Write(b []byte) (int, error) {
	n, err := l.text.Write(b)
	if l.enough(l.text.String()) {
		l.stop()
	}
	return n, err
}

func openTestStore(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestWatchedRounds: a round of a few seconds is shown once it is over, not as the nothing that was stored when it began.
func TestWatchedRounds(t *testing.T) {
	path := fixtureStore(t)
	ask, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer ask.close()
	var rounds []web.RoundInfo
	if err := ask.read(t.Context(), "rounds", url.Values{"kind": {"round"}, "limit": {"1"}}, &rounds); err != nil {
		t.Fatal(err)
	}
	w := &watcher{ask: ask}
	moment := func(start probe.Instant) *web.Moment {
		return &web.Moment{Now: 1 << 50, Agent: &web.Agent{Round: &web.Progress{Start: start}}}
	}
	if err := w.readRound(t.Context(), moment(rounds[0].Start+1)); err != nil || w.last.Round != nil {
		t.Errorf("a round that is not stored: %v, %v", w.last.Round, err)
	}
	w.ended = &web.RoundInfo{Start: rounds[0].Start, End: rounds[0].End + 1}
	if err := w.readRound(t.Context(), moment(0)); err != nil || w.last.Round != nil {
		t.Errorf("a round of which only a part is stored: %v, %v", w.last.Round, err)
	}
	w.ended.End--
	if err := w.readRound(t.Context(), moment(0)); err != nil || w.last.Round == nil || w.last.Round.Start != rounds[0].Start || w.ended != nil {
		t.Errorf("a round that is stored: %v, %v", w.last.Round, err)
	}
}

// TestThePastIsWatched: what happened before the watch began is dated as it happened, and told in that order.
func TestThePastIsWatched(t *testing.T) {
	ask, err := dial(t.Context(), fixtureStore(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ask.close()
	var rows []outage.Summary
	var changes []outage.Change
	var outages []outage.Outage
	for path, list := range map[string]any{"summaries": &rows, "changes": &changes, "outages": &outages} {
		if err := ask.read(t.Context(), path, nil, list); err != nil {
			t.Fatal(err)
		}
	}
	if len(outages) == 0 || outages[0].End == nil {
		t.Fatalf("the fixture has the outages %v", outages)
	}
	rows = append(rows, rows[len(rows)-1])
	last := &rows[len(rows)-1]
	last.State, last.End = outage.Unknown, last.End.Add(3600_000)
	changes = append(changes, outage.Change{Block: outage.SpaceBlock, State: outage.Unknown, Since: last.End - 60_000, Reason: "gap"})
	m := newViewModel("", probe.Space{}, 0, 0)
	for _, e := range asSeen(rows, changes, outages) {
		m.take(e)
	}
	if l := m.log.lines[len(m.log.lines)-1]; l.State != outage.Unknown || l.Detail != "since "+clockOf(last.End-60_000)+", gap" {
		t.Errorf("the last line is %v, want since when and why it is unknown", l)
	}
	var dates []probe.Instant
	for _, l := range m.log.lines {
		dates = append(dates, l.At)
	}
	if !slices.IsSorted(dates) || !slices.Contains(dates, outages[0].DeclaredAt) || !slices.Contains(dates, outages[0].End.Latest) {
		t.Errorf("the lines are of %v; the first outage was declared at %v and over by %v", dates, outages[0].DeclaredAt, outages[0].End.Latest)
	}
	if m.now < last.End {
		t.Errorf("it is left at %v, with rows until %v", m.now, last.End)
	}
}

// TestAskingElsewhereFails: the next step is one of there, and not to look at this machine.
func TestAskingElsewhereFails(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	plain, tls, gone := httptest.NewServer(refuse), httptest.NewUnstartedServer(refuse), httptest.NewServer(refuse)
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // that its certificate is refused
	tls.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(tls.Close)
	gone.Close()
	for at, next := range map[string]string{plain.URL: "user:password", tls.URL: "SSL_CERT_FILE", gone.URL: "http.listen"} {
		ask, err := dialURL(at)
		if err != nil {
			t.Fatal(err)
		}
		var hinted *hintError
		if err := ask.get(t.Context(), "status", nil, io.Discard); !errors.As(err, &hinted) || !strings.Contains(hinted.hint, next) {
			t.Errorf("%v; the hint is not of %s: %+v", err, next, hinted)
		}
	}
}
