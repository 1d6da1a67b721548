package web

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Feed tells listeners what happens as it happens. What it tells is encoded once, however many listen, and whoever does not
// keep up is cut off: nothing here ever waits for a listener. The zero value is ready.
type Feed struct {
	mu        sync.Mutex
	listeners map[chan []byte]bool
	closed    bool
}

// Moment is how things stand at a moment of the stream.
type Moment struct {
	Now    probe.Instant        `json:"now"`
	Judged probe.Instant        `json:"judged"`
	Blocks []outage.BlockStatus `json:"blocks"`
	Agent  *Agent               `json:"agent"`
}

const (
	mostListeners = 256
	mostBehind    = 64 // events that a listener may not have read
	heartbeat     = 15 * time.Second
)

// Heard reports whether anybody listens.
func (f *Feed) Heard() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.listeners) > 0
}

// Tell sends an event: "status" with a [Moment], "round" with a [RoundInfo], "outage" with an [outage.Outage] or "change" with
// an [outage.Change].
func (f *Feed) Tell(event string, v any) {
	if !f.Heard() {
		return
	}
	line, err := encode(v)
	if err != nil {
		return // what cannot be encoded is told by no other route either
	}
	text := fmt.Appendf(nil, "event: %s\ndata: %s\n\n", event, line)
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.listeners {
		select {
		case c <- text:
		default:
			delete(f.listeners, c)
			close(c)
		}
	}
}

// listen begins to listen. The channel is closed where its reader fell behind; nil: too many listen already.
func (f *Feed) listen() (events chan []byte, stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.listeners) >= mostListeners {
		return nil, nil
	}
	if f.listeners == nil {
		f.listeners = map[chan []byte]bool{}
	}
	events = make(chan []byte, mostBehind)
	f.listeners[events] = true
	return events, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, events)
	}
}

// Close ends every stream, and there will be no other.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.listeners {
		close(c)
	}
	f.listeners = nil
}

// stream answers with server-sent events until the reader goes away.
func (h *handler) stream(a *answer) error {
	a.p.word("format", "sse")
	if err := a.p.done(); err != nil {
		return err
	}
	if h.opt.Feed == nil {
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "no agent runs: there is nothing to tell as it happens"}
	}
	events, stop := h.opt.Feed.listen()
	if events == nil {
		return &Problem{Status: http.StatusServiceUnavailable, Detail: fmt.Sprintf("%d listen already", mostListeners)}
	}
	defer stop()
	return a.follow(events)
}

// follow writes events as they come, and a comment where none comes for long.
func (a *answer) follow(events <-chan []byte) error {
	control := http.NewResponseController(a.w)
	_ = control.SetReadDeadline(time.Time{}) // where it is not supported, there is none
	a.contentType("text/event-stream")
	a.Header().Set("Cache-Control", "no-store")
	a.begin(false)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text, ok := []byte(": hello\n\n"), true
	for ok {
		if _, err := a.w.Write(text); err != nil {
			return nil // the reader went away
		}
		if err := control.Flush(); err != nil {
			return nil
		}
		select {
		case <-a.r.Context().Done():
			return nil
		case text, ok = <-events:
		case <-beat.C:
			text = []byte(": still here\n\n")
		}
	}
	return nil
}
