package agent

import (
	"net/http"
	"os"
	"runtime"
	"sync"

	"brownout/agent/web"
)

// processors are those that this process computes on. An agent that only measures has one: it wakes some times a second for
// a few system calls, and to rouse a second thread each time costs more than they do. While somebody asks, it has all, so
// that no question keeps probes waiting. Who sets $GOMAXPROCS has chosen.
type processors struct {
	mu        sync.Mutex
	all       int // 0: not counted yet
	measuring int // agents that run
	asked     int // questions under way
}

// machine is the one there is: GOMAXPROCS is a process's.
var machine processors

// measure is called when an agent begins to run; over when it ends.
func (p *processors) measure() (over func()) {
	p.change(&p.measuring, 1)
	return func() { p.change(&p.measuring, -1) }
}

// lend has a handler answer on all of them, but for the stream.
func (p *processors) lend(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !web.Listens(r) {
			p.change(&p.asked, 1)
			defer p.change(&p.asked, -1)
		}
		h.ServeHTTP(w, r)
	})
}

func (p *processors) change(count *int, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*count += by
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	if p.all == 0 {
		p.all = runtime.GOMAXPROCS(0)
	}
	want := p.all
	if p.measuring > 0 && p.asked == 0 {
		want = 1
	}
	if runtime.GOMAXPROCS(0) != want {
		runtime.GOMAXPROCS(want)
	}
}
