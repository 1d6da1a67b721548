package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe/outage"
	"brownout/store"
)

// receiver is a Sender that answers as its mood says.
type receiver struct {
	mood func(attempt int, n *Notice) error

	mu       sync.Mutex
	attempts int
	taken    []*Notice // those that it answered without an error
}

func (r *receiver) Send(ctx context.Context, n *Notice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	if r.mood != nil {
		if err := r.mood(r.attempts, n); err != nil {
			return err
		}
	}
	r.taken = append(r.taken, n)
	return ctx.Err()
}

// took is the IDs of the transitions that were taken, and in how many messages.
func (r *receiver) took() (ids []string, messages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.taken {
		for _, tr := range n.Transitions {
			ids = append(ids, tr.ID)
		}
	}
	return ids, len(r.taken)
}

// takes demands what was taken, in so many messages.
func (r *receiver) takes(t *testing.T, messages int, want ...string) {
	t.Helper()
	if got, n := r.took(); !slices.Equal(got, want) || n != messages {
		t.Errorf("%q was taken in %d messages, want %q in %d", got, n, want, messages)
	}
}

func openQueue(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "queue.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// commit puts notices of a subject into the queue, each with one transition of that ID.
func commit(t *testing.T, s *store.Store, subject string, what What, ids ...string) {
	t.Helper()
	var c store.Commit
	for _, id := range ids {
		tr := Transition{ID: id, What: what, Kind: outage.Partial, Outage: exampleNotice().Transitions[0].Outage}
		if what == Opened {
			tr.Kind = outage.Total
		}
		b, err := json.Marshal(&Notice{Version: 1, ID: id, Subject: subject, Severity: severityOf([]Transition{tr}), Transitions: []Transition{tr}})
		if err != nil {
			t.Fatal(err)
		}
		c.Notices = append(c.Notices, b)
	}
	if err := s.Commit(c); err != nil {
		t.Fatal(err)
	}
}

// pass lets time pass in a bubble, and what is due then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// oneAMinute commits n notices, a minute apart, wakes the deliverer for each, and returns the IDs of their transitions. After
// each of the minutes it calls then, unless that is nil, with the IDs so far.
func oneAMinute(t *testing.T, s *store.Store, d *Deliverer, n int, then func(ids []string)) (ids []string) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint("t", i)
		ids = append(ids, id)
		commit(t, s, "space", Ended, id)
		d.Wake()
		pass(time.Minute)
		if then != nil {
			then(ids)
		}
	}
	return ids
}

func deliver(t *testing.T, s *store.Store, channels ...Channel) *Deliverer {
	t.Helper()
	d, err := Deliver(s, channels, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDownForAnHour commits notices while the receiver is down: it gets all of them, in order and without a doublet, at most
// the longest wait after it is back, and another channel is not held up.
func TestDownForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openQueue(t)
		begun := time.Now()
		down := &receiver{mood: func(int, *Notice) error {
			if time.Since(begun) < time.Hour {
				return errors.New("no route")
			}
			return nil
		}}
		well := &receiver{}
		d := deliver(t, s, Channel{Name: "down", Sender: down}, Channel{Name: "well", Sender: well})
		want := oneAMinute(t, s, d, 30, func(ids []string) { well.takes(t, len(ids), ids...) })
		pass(time.Until(begun.Add(time.Hour + longestWait*6/5 + time.Second)))
		down.takes(t, len(want), want...)
		if st := d.Stats(); st[0].Delivered != 30 || st[0].Failed < 10 || st[0].Failed > 30 || st[1].Failed != 0 || st[0].Waiting != 0 {
			t.Errorf("the statistics are %+v", st)
		}
		d.Close()
	})
}

// TestRestartGoesOn ends the deliverer in the middle of a send: what was not taken is delivered by the next, from where the
// store says.
func TestRestartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openQueue(t)
		stuck := &receiver{mood: func(attempt int, _ *Notice) error {
			if attempt == 2 {
				time.Sleep(time.Second)
				return context.Canceled
			}
			return nil
		}}
		d := deliver(t, s, Channel{Name: "a", Sender: stuck})
		commit(t, s, "space", Ended, "1", "2", "3")
		d.Wake()
		synctest.Wait()
		d.Close()
		stuck.takes(t, 1, "1")
		next := &receiver{}
		d = deliver(t, s, Channel{Name: "a", Sender: next})
		pass(time.Minute)
		d.Close()
		next.takes(t, 2, "2", "3")
	})
}

func TestRefusedIsGivenUpAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openQueue(t)
		picky := &receiver{mood: func(_ int, n *Notice) error {
			if n.ID == "bad" {
				return &RefusedError{errors.New("400")}
			}
			return nil
		}}
		d := deliver(t, s, Channel{Name: "a", Sender: picky})
		commit(t, s, "space", Ended, "bad", "good")
		d.Wake()
		pass(23 * time.Hour)
		picky.takes(t, 0)
		pass(2 * time.Hour)
		d.Close()
		if picky.takes(t, 1, "good"); d.Stats()[0].GivenUp != 1 {
			t.Errorf("the statistics are %+v", d.Stats())
		}
	})
}

// TestTogether merges what waited for a chat into one message, with every transition, and leaves out the blocks.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openQueue(t)
		if err := s.OpenNotices([]string{"chat", "all"}); err != nil {
			t.Fatal(err)
		}
		commit(t, s, "space", Ended, "1", "2")
		commit(t, s, "198.18.0.0/24", Ended, "block")
		commit(t, s, "space", Ended, "3")
		commit(t, s, SubjectVantage, Ended, "4")
		chat, all := &receiver{}, &receiver{}
		d := deliver(t, s, Channel{Name: "chat", Sender: chat, Together: true}, Channel{Name: "all", Sender: all, Blocks: true})
		pass(time.Minute)
		d.Close()
		chat.takes(t, 2, "1", "2", "3", "4")
		all.takes(t, 5, "1", "2", "block", "3", "4")
	})
}

// TestQuietHours holds what is not urgent until morning. A total outage takes what waited along, unless even that must wait.
func TestQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openQueue(t)
		q, err := ParseQuiet("23:30-06:00") // the bubble's clock begins at midnight
		if err != nil {
			t.Fatal(err)
		}
		always := q
		always.Always = true
		chat, deaf := &receiver{}, &receiver{}
		d := deliver(t, s, Channel{Name: "chat", Sender: chat, Together: true, Quiet: q}, Channel{Name: "deaf", Sender: deaf, Together: true, Quiet: always})
		commit(t, s, "space", Ended, "1")
		d.Wake()
		pass(3 * time.Hour)
		chat.takes(t, 0)
		commit(t, s, "space", Opened, "2")
		d.Wake()
		pass(time.Second)
		chat.takes(t, 1, "1", "2")
		commit(t, s, "space", Ended, "3")
		d.Wake()
		pass(3*time.Hour + 2*time.Minute)
		chat.takes(t, 2, "1", "2", "3")
		deaf.takes(t, 1, "1", "2", "3")
		d.Close()
	})
}

func TestParseQuiet(t *testing.T) {
	for text, want := range map[string]string{
		"22:00-07:00":                 "2026-03-01T23:30Z 7h30m0s",
		"00:00-24:00":                 "error",
		"22:00-22:00":                 "error",
		"22-7":                        "error",
		"22:00":                       "error",
		"22:00-07:00 Mars/Olympus":    "error",
		"22:00-07:00 ":                "error",
		"09:00-17:00 Asia/Seoul":      "2026-03-02T01:00Z 7h0m0s", // 10:00 there
		"01:00-05:00 Europe/Berlin":   "2026-03-29T00:00Z 3h0m0s", // the night that has no third hour
		"12:00-11:00 America/Caracas": "2026-03-02T14:59Z 1m0s",
	} {
		q, err := ParseQuiet(text)
		if want == "error" {
			if err == nil {
				t.Errorf("%q is quiet hours: %+v", text, q)
			}
			continue
		}
		moment, wait, _ := strings.Cut(want, " ")
		now, err2 := time.Parse("2006-01-02T15:04Z", moment)
		if err != nil || err2 != nil || q.wait(now, Info).String() != wait {
			t.Errorf("%q: at %s wait %v (%v), want %s", text, moment, q.wait(now, Info), errors.Join(err, err2), wait)
		}
		if q.wait(now, Critical) != 0 || (&Quiet{}).wait(now, Info) != 0 {
			t.Errorf("%q: what is urgent waits", text)
		}
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	for i := range 20 {
		want := min(firstWait<<i, longestWait)
		if got := b.next(); i < 12 && (got < want*4/5 || got > want*6/5) {
			t.Errorf("wait %d is %v, want about %v", i, got, want)
		}
	}
	if b.next() > longestWait*6/5 {
		t.Error("it waits ever longer")
	}
}
