package notify

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

var kills = flag.Int("kills", 10, "how often to kill who tells a receiver")

// The environment of a child that tells a webhook, to be killed.
const (
	childStore = "BROWNOUT_TEST_STORE"
	childHook  = "BROWNOUT_TEST_HOOK"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childStore); path != "" {
		fmt.Fprintln(os.Stderr, tellForever(path, os.Getenv(childHook)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// tellForever finds outages and tells a webhook of them, going on where the store ends, as the engine does: what is found and
// what is to be told is one commit. Between any two of its steps it may be killed.
func tellForever(path, hook string) error {
	s, err := store.Open(path, store.Options{Timeout: time.Minute})
	if err != nil {
		return err
	}
	d, err := Deliver(s, []Channel{{Name: "hook", Sender: Webhook(hook, nil)}}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	state, err := s.NoticeState()
	if err != nil {
		return err
	}
	found, err := s.Outages()
	if err != nil {
		return err
	}
	p := NewPlanner("test", time.Minute)
	if err := p.Restore(state, found); err != nil {
		return err
	}
	for n := len(found); ; {
		o, next := nextFinding(found, n)
		found, n = next, len(next)
		p.Outage(&o, o.DeclaredAt)
		c := store.Commit{Findings: outage.Findings{Outages: []outage.Outage{o}}}
		for _, notice := range p.Due(o.DeclaredAt) {
			b, err := json.Marshal(notice)
			if err != nil {
				return err
			}
			c.Notices = append(c.Notices, b)
		}
		c.NoticeState = p.State()
		if err := s.Commit(c); err != nil {
			return err
		}
		d.Wake()
		fmt.Println("committed")
	}
}

// nextFinding ends the last outage if it lasts, and else opens one, a day later.
func nextFinding(found []outage.Outage, n int) (outage.Outage, []outage.Outage) {
	at := probe.Instant(0).Add(int64(n) * 24 * 3600_000)
	moment := outage.Interval{Earliest: at, At: at, Latest: at}
	if n > 0 && found[n-1].Status == outage.Ongoing {
		o := &found[n-1]
		end := outage.Interval{Earliest: at - 1, At: at - 1, Latest: at - 1}
		o.Status, o.End, o.Phases[0].End, o.DeclaredAt = outage.Ended, &end, &end, at-1
		return *o, found
	}
	o := outage.Outage{ID: fmt.Sprintf("space-%06d", n), Block: outage.SpaceBlock, Kind: outage.Total, Status: outage.Ongoing,
		Start: moment, DeclaredAt: at, Phases: []outage.Phase{{Kind: outage.Total, Start: moment}}}
	return o, append(found, o)
}

// moody is a receiver that now and then fails, before it has taken a notice or after.
type moody struct {
	t     *testing.T
	mu    sync.Mutex
	seen  map[string]bool // IDs of transitions
	order []string        // as they came first
	again int
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mood := rand.IntN(200)
	if mood == 0 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var n Notice
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		return // who sent it was killed
	}
	for _, t := range n.Transitions {
		if m.seen[t.ID] {
			m.again++
			continue
		}
		m.seen[t.ID] = true
		m.order = append(m.order, t.ID)
	}
	if mood == 1 {
		w.WriteHeader(http.StatusInternalServerError) // though it was taken
	}
}

// TestKilledAtAnyMoment kills who finds outages and tells a moody receiver of them, again and again. In the end the receiver
// was told of every transition that the store knows of, once after the doublets are dropped, and in the order in which they
// happened.
func TestKilledAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "killed.db")
	m := &moody{t: t, seen: map[string]bool{}}
	hook := httptest.NewServer(m)
	defer hook.Close()
	for range *kills {
		killOnce(t, path, hook.URL)
	}
	s, err := store.Open(path, store.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(nil); err != nil {
		t.Error(err)
	}
	deliverRest(t, s, hook.URL)
	found, err := s.Outages()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range found {
		want = append(want, found[i].ID+"/1")
		if found[i].Status == outage.Ended {
			want = append(want, found[i].ID+"/2")
		}
	}
	if got := strings.Join(m.order, " "); got != strings.Join(want, " ") || len(want) < *kills {
		t.Errorf("of %d transitions it was told\n%s\nwant\n%s", len(want), got, strings.Join(want, " "))
	}
	t.Logf("%d kills: %d transitions, and %d came again", *kills, len(want), m.again)
}

// killOnce lets a child commit some findings, and kills it a moment later.
func killOnce(t *testing.T, path, hook string) {
	t.Helper()
	c := exec.Command("/proc/self/exe", "-test.run=^$")
	c.Env = append(os.Environ(), childStore+"="+path, childHook+"="+hook)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 1 + rand.IntN(5) {
		lines.Scan()
	}
	time.AfterFunc(time.Duration(rand.IntN(5000))*time.Microsecond, func() { _ = c.Process.Kill() })
	for lines.Scan() { // until it is dead
	}
	_ = c.Wait() // it was killed
}

// noted is a queue that says when something was delivered.
type noted struct {
	*store.Store
	news chan struct{}
}

func (n noted) Delivered(channel string, number uint64) error {
	err := n.Store.Delivered(channel, number)
	n.news <- struct{}{}
	return err
}

// deliverRest delivers what the last child left.
func deliverRest(t *testing.T, s *store.Store, hook string) {
	t.Helper()
	q := noted{s, make(chan struct{}, 10_000)}
	d, err := Deliver(q, []Channel{{Name: "hook", Sender: Webhook(hook, nil)}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for {
		waiting, err := s.Undelivered("hook", 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(waiting) == 0 {
			return
		}
		<-q.news
	}
}
