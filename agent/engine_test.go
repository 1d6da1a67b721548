package agent

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

var engineSeeds = flag.Int("engine-seeds", 1, "with how many seeds to simulate each scenario of the engine's tests")

var simulations = []simulated{
	{name: "steady", hours: 5, noise: "loss = 0.03\nduplicates = 0.02\ncorrupted = 0.01\nforged = 0.01"},
	{name: "total", hours: 5, timeline: phase("01T03:03:20", "01T03:43:20", "total")},
	{name: "total without core", hours: 7, core: "0s", timeline: phase("01T04:03:20", "01T04:43:20", "total")},
	{name: "one block dark", hours: 5, timeline: phase("01T02:53:20", "01T04:01:00", "partial", `dark = ["198.18.2.0/28"]`)},
	{name: "icmp filtered", hours: 5, timeline: phase("01T02:53:20", "01T04:01:00", "filtered", `protocol = "icmp"`)},
	{name: "uplink down", hours: 5, timeline: phase("01T02:53:20", "01T03:33:20", "uplink-down")},
	{name: "late", hours: 5, noise: "loss = 0.01\nlate = 0.05\nlate_by = \"8s\"", timeline: phase("01T03:03:20", "01T03:43:20", "total")},
	{name: "short rounds", hours: 2, round: "1m", core: "0s", timeline: phase("01T01:03:20", "01T01:23:20", "total")},
}

// TestEngine measures days of simulated worlds on the real clock of a bubble, with the real sweeper, store and vantage.
// Every verdict is the truth, and a replay of what was stored comes to the same verdicts and states, to the byte.
func TestEngine(t *testing.T) {
	for _, s := range simulations {
		for seed := range *engineSeeds {
			t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) {
				t.Parallel()
				scenario := s.scenario(t, uint64(seed))
				path := filepath.Join(t.TempDir(), "engine.db")
				measure(t, scenario, path, nil)
				found := sound(t, path)
				for _, wrong := range compareTruth(found, scenario.Truth()) {
					t.Error(wrong)
				}
				boundedUnknown(t, path, scenario)
			})
		}
	}
}

// TestEngineRestarts ends the engine again and again, cleanly or by a kill, and lets it go on. What is stored stays what a
// replay finds, and nothing is invented.
func TestEngineRestarts(t *testing.T) {
	s := simulated{name: "restarts", hours: 7, timeline: phase("01T03:33:20", "01T04:13:20", "total") +
		phase("01T05:03:20", "01T05:43:20", "uplink-down")}
	for seed := range 1 + *engineSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			scenario := s.scenario(t, uint64(seed))
			path := filepath.Join(t.TempDir(), "engine.db")
			path = measure(t, scenario, path, rand.New(rand.NewPCG(uint64(seed), 1)))
			found := 0
			for _, o := range sound(t, path) {
				if o.Block != outage.SpaceBlock {
					continue
				}
				if found++; found > 1 || !allowsAny(scenario.Truth(), &o) {
					t.Errorf("the %v outage from %v was none, or split", o.Kind, o.Start.At)
				}
			}
		})
	}
}

func allowsAny(truth []lab.Truth, o *outage.Outage) bool {
	for i := range truth {
		if truth[i].Block == lab.SpaceBlock && allows(&truth[i], o) {
			return true
		}
	}
	return false
}

// measure plays a scenario from its start to its end, and returns the path of the store that then holds it. With a source
// of chance, the engine is stopped or killed now and then, and goes on after a while: after a kill, with what was on the
// disk at that moment.
func measure(t *testing.T, scenario *lab.Scenario, path string, chance *rand.Rand) string {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for life := 0; ; life++ {
			end := scenario.End
			kill := ""
			if chance != nil {
				end = min(end, probe.InstantOf(time.Now()).Add(1000*(30+chance.Int64N(4000))))
				if chance.IntN(2) == 0 {
					kill = fmt.Sprintf("%s.%d", path, life)
				}
			}
			if engineLife(t, scenario, path, end, kill); kill != "" {
				path = kill
			}
			if end == scenario.End {
				return
			}
			time.Sleep(time.Duration(chance.Int64N(1200)) * time.Second / time.Duration(1+19*chance.Int64N(2)))
		}
	})
	return path
}

// engineLife runs an engine on a store until a moment. Where it is to be killed, kill is a copy of the store as of then.
func engineLife(t *testing.T, scenario *lab.Scenario, path string, end probe.Instant, kill string) {
	t.Helper()
	e, closeAll := simulatedEngine(t, scenario, path)
	defer closeAll()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.Watch = func(v engineView) {
		if v.Now < end || ctx.Err() != nil {
			return
		}
		cancel()
		if kill != "" {
			if err := e.Store.Backup(kill); err != nil {
				t.Error(err)
			}
		}
	}
	if err := e.run(ctx); err != nil {
		t.Fatal(err)
	}
}

// simulatedEngine is an engine on a store, in a simulated world, of a configuration that may be changed.
func simulatedEngine(t *testing.T, scenario *lab.Scenario, path string, change ...func(*Config)) (e *engine, closeAll func()) {
	t.Helper()
	world, err := lab.NewWorld(scenario)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clock := &probe.Clock{}
	config := scenarioConfig(scenario)
	config.Probe.LateWindow = 30 * time.Second
	for _, c := range change {
		c(config)
	}
	e, closeEngine, err := config.engineOn(clock, s, slog.New(slog.DiscardHandler), seams{lab.OpenWire(world, clock), lab.Ping(world, clock)})
	if err != nil {
		t.Fatal(err)
	}
	return e, func() {
		closeEngine()
		s.Close()
	}
}

// sound demands that a store is whole, and that a replay of its export finds the outages and states that it holds, to the
// byte. It returns the outages.
func sound(t *testing.T, path string) []outage.Outage {
	t.Helper()
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(nil); err != nil {
		t.Error(err)
	}
	api := web.Handler(s, web.Options{})
	in := probe.NewRoundReader(bytes.NewReader(ask(t, api.ServeHTTP, "export")))
	first, err := in.Next()
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := outage.Replay(outage.Config{BlockBits: in.BlockBits()}, &peeked{first: first, rest: in})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "outages", ask(t, api.ServeHTTP, "outages?blocks=true"), listed(t, replayed.Outages(true)))
	equal(t, "states", ask(t, api.ServeHTTP, "states"), listed(t, outage.Timeline(replayed.Changes, replayed.Until)))
	found, err := s.Outages()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// ask is the API's answer.
func ask(t *testing.T, api http.HandlerFunc, path string) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	api(w, httptest.NewRequest(http.MethodGet, web.Prefix+path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %s", path, w.Body.String())
	}
	return w.Body.Bytes()
}

func equal(t *testing.T, what string, stored, replayed []byte) {
	t.Helper()
	if !bytes.Equal(stored, replayed) {
		t.Errorf("%s: the store holds\n%s\nand a replay of its export finds\n%s", what, stored, replayed)
	}
}

func listed[T any](t *testing.T, list []T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := web.WriteList(&b, list); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// boundedUnknown demands that unknown is only what a failure of our own side explains, and no longer than that and two
// rounds.
func boundedUnknown(t *testing.T, path string, scenario *lab.Scenario) {
	t.Helper()
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	changes, err := s.Said(outage.SpaceBlock)
	if err != nil {
		t.Fatal(err)
	}
	for _, is := range outage.Timeline(changes, scenario.End) {
		if is.State != outage.Unknown {
			continue
		}
		allowed := int64(0)
		for _, p := range scenario.Timeline {
			if p.State == lab.UplinkDown && is.Start <= p.To && is.End >= p.From {
				allowed = int64(p.To-p.From) + 2*scenario.Demo.Round.Milliseconds()
			}
		}
		if int64(is.End-is.Start) > allowed {
			t.Errorf("unknown from %v to %v: at most %v is explained", is.Start, is.End, time.Duration(allowed)*time.Millisecond)
		}
	}
}

// TestEngineAfterUpgrade stops the engine before, in and after an outage, as for an upgrade: the next version cannot read
// what this one learned. Nothing is told anew, the outage goes on under its ID, and a replay agrees.
func TestEngineAfterUpgrade(t *testing.T) {
	s := simulated{name: "upgrade", hours: 5, timeline: phase("01T03:03:20", "01T03:43:20", "total")}
	for _, minutes := range []int64{150, 200, 250} {
		t.Run(fmt.Sprint(minutes), func(t *testing.T) {
			t.Parallel()
			scenario := s.scenario(t, 1)
			path := filepath.Join(t.TempDir(), "engine.db")
			var before []outage.Outage
			synctest.Test(t, func(t *testing.T) {
				engineLife(t, scenario, path, scenario.Start.Add(minutes*60_000), "")
				before = upgrade(t, path)
				engineLife(t, scenario, path, scenario.End, "")
			})
			found := sound(t, path)
			for _, wrong := range compareTruth(found, scenario.Truth()) {
				t.Error(wrong)
			}
			for _, was := range before {
				if !slices.ContainsFunc(found, func(o outage.Outage) bool { return o.ID == was.ID && o.DeclaredAt == was.DeclaredAt }) {
					t.Errorf("outage %s is gone", was.ID)
				}
			}
		})
	}
}

// upgrade makes a store's snapshot one of another version, and returns the outages.
func upgrade(t *testing.T, path string) []outage.Outage {
	t.Helper()
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Commit(store.Commit{Detector: []byte{0}}); err != nil {
		t.Fatal(err)
	}
	list, err := s.Outages()
	if err != nil {
		t.Fatal(err)
	}
	return list
}
