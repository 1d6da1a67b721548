package notify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

const minute = 60_000

// story plays what happens to a planner, minute by minute, and collects what it tells.
type story struct {
	t       *testing.T
	p       *Planner
	now     probe.Instant
	open    *outage.Outage
	told    []*Notice
	restart bool // whether the planner is replaced by one with its state each minute
}

func newStory(t *testing.T) *story {
	return &story{t: t, p: NewPlanner("fra1", 11*time.Minute), now: probe.InstantOf(time.Date(2014, 12, 22, 0, 0, 0, 0, time.UTC))}
}

// wait lets minutes pass.
func (s *story) wait(minutes int) {
	s.t.Helper()
	for range minutes {
		s.told = append(s.told, s.p.Due(s.now)...)
		s.now = s.now.Add(minute)
		if s.restart {
			s.reborn()
		}
	}
	s.told = append(s.told, s.p.Due(s.now)...)
}

func (s *story) reborn() {
	s.t.Helper()
	state := s.p.State()
	if state == nil {
		return // as committed before
	}
	s.p = NewPlanner("fra1", 11*time.Minute)
	if err := s.p.Restore(state, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) active() map[string]Transition { return s.p.state.Active }

// begin opens an outage.
func (s *story) begin(kind outage.State, conditions ...outage.Condition) {
	at := outage.Interval{Earliest: s.now, At: s.now, Latest: s.now}
	s.open = &outage.Outage{
		ID: fmt.Sprint("space-", s.now), Block: outage.SpaceBlock, Kind: kind, Status: outage.Ongoing, Start: at, DeclaredAt: s.now,
		Phases: []outage.Phase{{Kind: kind, Start: at}}, Conditions: conditions,
	}
	s.p.Outage(s.open, s.now)
}

// become changes its kind.
func (s *story) become(kind outage.State) {
	o := *s.open
	at := outage.Interval{Earliest: s.now, At: s.now, Latest: s.now}
	o.Phases = append(slices.Clone(o.Phases), outage.Phase{Kind: kind, Start: at})
	if kind == outage.Total {
		o.Kind = kind
	}
	s.open = &o
	s.p.Outage(s.open, s.now)
}

func (s *story) end() {
	o := *s.open
	o.Status, o.End = outage.Ended, &outage.Interval{Earliest: s.now, At: s.now, Latest: s.now}
	s.open = &o
	s.p.Outage(s.open, s.now)
}

func (s *story) revise(kind outage.State) {
	o := *s.open
	o.Revisions = append(slices.Clone(o.Revisions), outage.Revision{At: s.now, Finding: outage.Moved, Kind: kind})
	s.open = &o
	s.p.Outage(s.open, s.now)
}

// tells demands what was told, one string a notice, like "opened ended", in which "+" marks a grouped one.
func (s *story) tells(want ...string) {
	s.t.Helper()
	var got []string
	for _, n := range s.told {
		var words []string
		for _, tr := range n.Transitions {
			words = append(words, string(tr.What))
		}
		if n.Grouped {
			words = append(words, "+")
		}
		got = append(got, strings.Join(words, " "))
	}
	s.told = nil
	if !slices.Equal(got, want) {
		s.t.Errorf("told %q, want %q", got, want)
	}
}

func TestShortPartialMakesOneNotice(t *testing.T) {
	s := newStory(t)
	s.begin(outage.Partial)
	s.wait(9)
	s.tells()
	s.end()
	s.wait(1)
	s.tells("opened ended")
}

func TestLongPartial(t *testing.T) {
	s := newStory(t)
	s.begin(outage.Partial)
	s.wait(10)
	s.tells("opened")
	s.wait(30)
	s.become(outage.Total)
	s.wait(0)
	s.tells("became-total")
	s.wait(30)
	s.become(outage.Unknown)
	s.wait(60)
	s.become(outage.Partial)
	s.wait(9)
	s.tells()
	s.wait(1)
	s.tells("became-partial")
	s.wait(60)
	s.end()
	s.wait(0)
	s.tells("ended")
	s.wait(600)
	s.revise(outage.Up)
	s.p.Outage(s.open, s.now) // seen again, unchanged
	s.wait(0)
	s.tells("revised")
}

func TestTotalIsToldAtOnce(t *testing.T) {
	s := newStory(t)
	s.begin(outage.Total)
	s.wait(0)
	s.tells("opened")
	if s.active()["space"].Kind != outage.Total {
		t.Error("it does not count as lasting")
	}
	s.end()
	s.wait(0)
	s.tells("ended")
	if len(s.active()) != 0 {
		t.Error("it lasts")
	}
}

// TestUnstable is the days before and after the total outage of December 22, 2014.
func TestUnstable(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := newStory(t)
		s.restart = restart
		for i := range 5 {
			s.begin(outage.Partial, []outage.Condition{outage.Unstable}[min(1, max(0, 2-i)):]...)
			s.wait(6)
			s.end()
			s.wait(80)
		}
		s.tells("opened ended", "opened ended", "opened +")
		s.begin(outage.Total, outage.Unstable)
		s.wait(0)
		s.tells("ended opened ended opened ended opened +")
		s.wait(9 * 60)
		s.end()
		s.wait(0)
		s.tells("ended +")
		s.wait(6*60 + 11)
		s.begin(outage.Total) // six hours without one: it is no longer unstable
		s.wait(0)
		s.tells("opened")
		s.wait(3)
		s.end()
		s.wait(0)
		s.tells("ended")
	}
}

// TestFlapping lets a space go dark every few minutes for two days.
func TestFlapping(t *testing.T) {
	s := newStory(t)
	for i := range 2 * 24 * 6 {
		s.begin(outage.Total, []outage.Condition{outage.Unstable}[min(1, max(0, 2-i)):]...)
		s.wait(4)
		s.end()
		s.wait(6)
	}
	if n := len(s.told); n > 55 {
		t.Errorf("%d notices: more than one an hour", n)
	}
	s.wait(6 * 60)
	ids := map[string]int{}
	for _, n := range s.told {
		for _, tr := range n.Transitions {
			ids[tr.ID]++
		}
	}
	if len(ids) != 2*2*24*6 {
		t.Errorf("%d transitions were told of, want two for each of %d outages", len(ids), 2*24*6)
	}
}

// TestPhasesDoNotStorm changes the kind of one outage every two minutes.
func TestPhasesDoNotStorm(t *testing.T) {
	s := newStory(t)
	s.begin(outage.Total)
	for range 5 * 60 / 4 {
		s.wait(2)
		s.become(outage.Partial)
		s.wait(2)
		s.become(outage.Total)
	}
	if n := len(s.told); n > 4*6 {
		t.Errorf("%d notices in five hours", n)
	}
}

func TestVantage(t *testing.T) {
	s := newStory(t)
	sick, well := probe.VantageHealth{Sick: true, References: 3}, probe.VantageHealth{OK: true, References: 3, Answering: 3}
	s.p.Vantage(well, s.now)
	s.p.Vantage(sick, s.now)
	s.p.Vantage(probe.VantageHealth{}, s.now) // suspected, as after a restart
	s.p.Vantage(sick, s.now)
	s.wait(9)
	s.tells()
	s.wait(1)
	s.tells("vantage-lost")
	s.reborn()
	s.p.Vantage(well, s.now)
	s.wait(0)
	s.tells("vantage-back")
	s.p.Late(time.Hour, s.now)
	s.wait(0)
	s.tells("agent-late")
}

// TestFirstStart finds outages in a store of an agent that told nobody.
func TestFirstStart(t *testing.T) {
	s := newStory(t)
	s.begin(outage.Total)
	s.end()
	old := *s.open
	s.wait(60)
	s.begin(outage.Total)
	lasts := *s.open
	s.p, s.told = NewPlanner("fra1", 11*time.Minute), nil
	if err := s.p.Restore(nil, []outage.Outage{old, lasts}); err != nil {
		t.Fatal(err)
	}
	s.p.Outage(&old, s.now)
	s.wait(1)
	s.tells("opened")
}

func TestRestoreRefusesNonsense(t *testing.T) {
	for _, state := range []string{"", "x", `{"v":9}`} {
		if err := NewPlanner("", time.Minute).Restore([]byte(state), nil); err == nil {
			t.Errorf("%q is a state", state)
		}
	}
}

// TestEveryTransitionOnce plays random lives, with and without restarts: every transition is told once, in order, with the
// same notices, and within six hours of calm all of them are.
func TestEveryTransitionOnce(t *testing.T) {
	for seed := range uint64(20) {
		var told [2][]string
		for i, restart := range []bool{false, true} {
			s := newStory(t)
			s.restart = restart
			s.live(rand.New(rand.NewPCG(seed, 7)))
			for _, n := range s.told {
				for _, tr := range n.Transitions {
					told[i] = append(told[i], fmt.Sprint(n.At, tr.ID, tr.What))
				}
			}
		}
		if !slices.Equal(told[0], told[1]) {
			t.Errorf("seed %d: with restarts other things are told", seed)
		}
		seen := map[string]bool{}
		for _, id := range told[0] {
			if seen[id] {
				t.Errorf("seed %d: %s was told twice", seed, id)
			}
			seen[id] = true
		}
		if !strings.HasSuffix(told[0][len(told[0])-1], "ended") {
			t.Errorf("seed %d: the end was not told", seed)
		}
	}
}

func (s *story) live(chance *rand.Rand) {
	kinds := []outage.State{outage.Partial, outage.Total}
	for range 20 {
		var conditions []outage.Condition
		if chance.IntN(2) == 0 {
			conditions = []outage.Condition{outage.Unstable}
		}
		s.begin(kinds[chance.IntN(2)], conditions...)
		for range chance.IntN(4) {
			s.wait(chance.IntN(90))
			s.become(kinds[chance.IntN(2)])
		}
		s.wait(chance.IntN(200))
		s.end()
		s.wait(chance.IntN(400))
	}
	s.wait(6 * 60)
}
