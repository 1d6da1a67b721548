package notify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"brownout/store"
)

// queue is where notices wait. *store.Store is one.
type queue interface {
	OpenNotices(channels []string) error
	Undelivered(channel string, n int) ([]store.Notice, error)
	Delivered(channel string, number uint64) error
}

// Sender hands a notice to its receiver. It returns soon after ctx ends, and its errors tell no secret.
type Sender interface {
	Send(ctx context.Context, n *Notice) error
}

// resender is a Sender whose receiver forgets what it is not told again.
type resender interface {
	Resend(ctx context.Context) error
}

// Channel is a way to somebody.
type Channel struct {
	Name      string // of its cursor in the store
	Sender    Sender
	Templates Templates
	Quiet     Quiet
	Blocks    bool // whether the space's blocks are told of too
	Together  bool // whether what waits is told in one message
}

// Try sends a notice once, at whatever hour, and notes it nowhere.
func (c *Channel) Try(ctx context.Context, n *Notice) error {
	c.Templates.render(n)
	return c.Sender.Send(ctx, n)
}

const (
	firstWait   = time.Second // after a failure; it doubles
	longestWait = 5 * time.Minute
	sendTimeout = 30 * time.Second
	resendEvery = time.Minute
	mostAtOnce  = 50             // notices read at a time
	refusedFor  = 24 * time.Hour // after which a notice that its receiver calls malformed is given up
)

// Deliverer delivers what waits in the store.
type Deliverer struct {
	log     *slog.Logger
	cancel  context.CancelFunc
	running sync.WaitGroup
	wake    []chan struct{} // by channel

	mu    sync.Mutex // guards what follows
	stats []Stats    // by channel
}

// Stats is how a channel does.
type Stats struct {
	Channel   string
	Delivered uint64 // messages taken by the receiver, since the start
	Failed    uint64 // attempts that were not
	GivenUp   uint64 // messages that the receiver refused for a day
	Waiting   int    // notices read and not delivered yet, up to 50
}

// Deliver begins to deliver. Close ends it.
func Deliver(q queue, channels []Channel, log *slog.Logger) (*Deliverer, error) {
	names := make([]string, len(channels))
	for i := range channels {
		names[i] = channels[i].Name
	}
	if err := q.OpenNotices(names); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Deliverer{log: log, cancel: cancel, stats: make([]Stats, len(channels))}
	for i := range channels {
		d.stats[i].Channel = names[i]
		w := &worker{d: d, q: q, c: &channels[i], stats: &d.stats[i], wake: make(chan struct{}, 1)}
		d.wake = append(d.wake, w.wake)
		d.running.Go(func() { w.run(ctx) })
	}
	return d, nil
}

// Wake says that something was committed.
func (d *Deliverer) Wake() {
	for _, c := range d.wake {
		select {
		case c <- struct{}{}:
		default: // it is awake
		}
	}
}

// Close ends what is under way, which will be delivered again, and waits for it.
func (d *Deliverer) Close() {
	d.cancel()
	d.running.Wait()
}

// Stats is how each channel does.
func (d *Deliverer) Stats() []Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Stats(nil), d.stats...)
}

// worker delivers by one channel.
type worker struct {
	d     *Deliverer
	q     queue
	c     *Channel
	stats *Stats // guarded by d.mu
	wake  chan struct{}
	wait  backoff
	since time.Time // when the notice at the head was refused first; zero: it was not
}

// run delivers until ctx ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause, err := w.step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = w.wait.next()
			w.note(func(s *Stats) { s.Failed++ })
			w.d.log.Warn("a notification failed and will be tried again", "channel", w.c.Name, "in", pause.Round(time.Second), "error", err)
		default:
			w.wait = 0
		}
		if !w.pause(ctx, pause, err == nil) {
			return
		}
	}
}

// pause waits, for news too where it may. It is false when ctx ended.
func (w *worker) pause(ctx context.Context, pause time.Duration, news bool) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	wake := w.wake
	if !news {
		wake = nil // a receiver that is down is no sooner up for it
	}
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return true
}

// step delivers the next message, if there is one, and says after how long to look again.
func (w *worker) step(ctx context.Context) (pause time.Duration, err error) {
	list, err := w.next()
	if err != nil {
		return 0, err
	}
	w.note(func(s *Stats) { s.Waiting = len(list) })
	if len(list) == 0 {
		return resendEvery, w.resend(ctx)
	}
	n, last := w.message(list)
	if n != nil {
		if wait := w.c.Quiet.wait(time.Now(), w.urgency(list)); wait > 0 {
			return min(wait, resendEvery), w.resend(ctx)
		}
		if err := w.send(ctx, n); err != nil {
			return 0, err
		}
	}
	if err := w.q.Delivered(w.c.Name, last); err != nil {
		return 0, err
	}
	w.since = time.Time{}
	return 0, nil
}

// next is what waits. A notice that cannot be read is told of in the log, and passed over.
func (w *worker) next() ([]*Notice, error) {
	stored, err := w.q.Undelivered(w.c.Name, mostAtOnce)
	if err != nil {
		return nil, err
	}
	list := make([]*Notice, len(stored))
	for i := range stored {
		n := &Notice{}
		if err := json.Unmarshal(stored[i].Body, n); err != nil || len(n.Transitions) == 0 {
			w.d.log.Error("a notice in the store makes no sense and is not delivered", "channel", w.c.Name, "number", stored[i].Number, "error", err)
			n = &Notice{}
		}
		n.Number = stored[i].Number
		list[i] = n
	}
	return list, nil
}

// message makes one of what waits, and says up to which number it goes. It is nil where nothing of that is for the channel.
func (w *worker) message(list []*Notice) (n *Notice, last uint64) {
	for _, next := range list {
		if n != nil && (!w.c.Together || next.Subject != n.Subject && w.c.wants(next)) {
			break
		}
		last = next.Number
		if !w.c.wants(next) {
			continue
		}
		if n == nil {
			n = next
			continue
		}
		transitions := append(n.Transitions, next.Transitions...)
		n = next
		n.Transitions, n.Severity = transitions, severityOf(transitions)
	}
	if n != nil {
		w.c.Templates.render(n)
	}
	return n, last
}

// urgency is that of what waits for the channel, as far as quiet hours ask: what stands before an outage goes with it.
func (w *worker) urgency(list []*Notice) Severity {
	if slices.ContainsFunc(list, func(n *Notice) bool { return w.c.wants(n) && n.Severity == Critical }) {
		return Critical
	}
	return Warning
}

// wants reports whether a notice is for the channel.
func (c *Channel) wants(n *Notice) bool {
	switch {
	case len(n.Transitions) == 0:
		return false
	case n.Subject == "space" || n.Subject == SubjectVantage || n.Subject == SubjectAgent:
		return true
	}
	return c.Blocks
}

func (w *worker) send(ctx context.Context, n *Notice) error {
	limited, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err := w.c.Sender.Send(limited, n)
	var refused *RefusedError
	switch {
	case err == nil:
		w.note(func(s *Stats) { s.Delivered++ })
		w.d.log.Info("notified", "channel", w.c.Name, "id", n.ID, "title", n.Title)
		return nil
	case !errors.As(err, &refused):
		return err
	case w.since.IsZero():
		w.since = time.Now()
	case time.Since(w.since) > refusedFor:
		w.note(func(s *Stats) { s.GivenUp++ })
		w.d.log.Error("a notification was refused for a day and is given up", "channel", w.c.Name, "id", n.ID, "error", err)
		return nil
	}
	return err
}

// resend reminds a receiver that forgets.
func (w *worker) resend(ctx context.Context) error {
	r, ok := w.c.Sender.(resender)
	if !ok {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return r.Resend(limited)
}

func (w *worker) note(f func(*Stats)) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f(w.stats)
}
