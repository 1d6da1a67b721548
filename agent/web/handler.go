package web

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// source is what the API reads of a store. *store.Store is one.
type source interface {
	Rounds(from, to probe.Instant, newestFirst bool) iter.Seq2[*probe.Round, error]
	Address(addr netip.Addr, from, to probe.Instant, newestFirst bool) iter.Seq2[*store.Sighting, error]
	Export(from, to probe.Instant) iter.Seq2[*probe.Round, error]
	Round(start probe.Instant, kind probe.Kind) (*probe.Round, error) // nil: there is none
	Outages() ([]outage.Outage, error)
	Outage(id string) (*outage.Outage, error) // nil: there is none
	Said(block string) ([]outage.Change, error)
	Summaries(block string, from, to probe.Instant) ([]outage.Summary, error)
	Hours(block string, from, to probe.Instant, days bool) ([]store.Hour, error)
	Blocks() ([]string, error)
	Detector() (snapshot []byte, cursor probe.Instant, err error)
	Learned(blockBits int) (store.Learned, error)
	BlockBits(otherwise int) (int, error)
}

// Options says what a Handler knows beside its store. The zero value is useful: no agent runs.
type Options struct {
	Live    func() *Agent               // the running agent, for status; nil: none runs
	Ready   func() error                // why the agent does not measure yet; nil: it is ready
	Alive   func() error                // why it does not live any more, for all that it answers; nil: it lives
	Reload  func(context.Context) error // reads the configuration anew; nil: cannot be asked for
	Metrics *Metrics                    // nil: there is no /metrics
	Feed    *Feed                       // what the stream tells; nil: there is no stream
	About   About                       // who probes, and why: of the running agent; without one nothing of it is said
	Now     func() time.Time            // nil: the real time
	Log     *slog.Logger                // failures of ours; nil: discard
	Fail    func(error)                 // told of an answer that broke off; nil: nobody is

	// Authenticated says whether whoever asks from elsewhere has proved who they are before the handler sees them; nil: no.
	Authenticated func() bool
}

// Agent is what is known of the agent that answers.
type Agent struct {
	Version string        `json:"version"`
	PID     int           `json:"pid"`
	Started probe.Instant `json:"started"`
	Vantage string        `json:"vantage"`
	Healthy bool          `json:"vantage_ok"`      // whether silence counts now
	Checked bool          `json:"vantage_checked"` // whether enough references are asked about its own connectivity
	Round   *Progress     `json:"round,omitempty"` // the round under way
}

// Progress is how far a round got.
type Progress struct {
	Start    probe.Instant `json:"start"`
	Sent     int           `json:"sent"`
	Planned  int           `json:"planned"`
	Answered int           `json:"answered"`
}

// handler answers from a source.
type handler struct {
	src   source
	opt   Options
	mux   *http.ServeMux
	tally tally
}

// Handler is the API, the metrics and the page over a store.
func Handler(src source, opt Options) http.Handler {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{src: src, opt: opt, mux: http.NewServeMux()}
	for path, serve := range h.routes() {
		h.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, serve) })
	}
	h.operate()
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		(&Problem{Status: http.StatusNotFound, Detail: "there is nothing at " + r.URL.Path}).answer(w, r)
	})
	return h.secured(h.mux)
}

// Prefix is where the API's paths begin.
const Prefix = "/api/v1/"

// routes are what is answered from the store.
func (h *handler) routes() map[string]func(*answer) error {
	routes := h.pages()
	for path, serve := range map[string]func(*answer) error{
		"status": h.status, "blocks": h.blocks,
		"outages": h.outages, "outages/{id}": h.outage, "outages/{id}/evidence.zip": h.bundle,
		"rounds": h.rounds, "rounds/{start}": h.round,
		"addresses/{ip}": h.address,
		"changes":        h.changes, "states": h.states, "summaries": h.summaries,
		"series": h.series, "frames": h.frames,
		"export": h.export, "stream": h.stream,
		"openapi.json": openAPI,
	} {
		routes[Prefix+path] = serve
	}
	return routes
}

// operate adds what operators and their tools ask for.
func (h *handler) operate() {
	for _, path := range []string{"/-/healthy", "/healthz"} {
		h.mux.HandleFunc(path, h.healthy)
	}
	for _, path := range []string{"/-/ready", "/readyz"} {
		h.mux.HandleFunc(path, h.ready)
	}
	h.mux.HandleFunc("POST "+reloadPath, h.reload)
	if h.opt.Metrics != nil {
		h.mux.Handle("/metrics", h.opt.Metrics.handler(h))
	}
}

// answer is a request and what is being answered.
type answer struct {
	*reply
	r *http.Request
	p params
}

// rounds are a store's, until the answer's time is over.
func (a *answer) rounds(all iter.Seq2[*probe.Round, error]) iter.Seq2[*probe.Round, error] {
	return limited(a, all)
}

// limited is a list until the answer's time is over.
func limited[T any](a *answer, all iter.Seq2[*T, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for v, err := range all {
			if err == nil {
				err = a.r.Context().Err()
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// serve runs a route. A failure before the body began is a problem; one after it breaks the answer off, so that nobody
// takes it for whole.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, route func(*answer) error) {
	if !lasting(r.URL.Path) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTime)
		defer cancel()
		r = r.WithContext(ctx)
	}
	a := &answer{reply: newReply(w, r), r: r, p: newParams(r.URL, h.opt.Now())}
	err := route(a)
	if err == nil {
		err = a.finish()
	}
	if err == nil {
		return
	}
	if h.opt.Fail != nil {
		h.opt.Fail(err)
	}
	if a.begun {
		h.opt.Log.Warn("an answer broke off", "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler)
	}
	p := asProblem(err)
	if p.Status >= http.StatusInternalServerError {
		h.opt.Log.Error("a question failed", "path", r.URL.Path, "error", err)
	}
	p.answer(w, r)
}

const answerTime = 30 * time.Second

// lasting reports whether an answer may last as long as its reader makes progress.
func lasting(path string) bool {
	return path == Prefix+"export" || path == Prefix+"stream" || strings.HasSuffix(path, "/evidence.zip")
}

func (h *handler) healthy(w http.ResponseWriter, _ *http.Request) { health(w, h.opt.Alive) }

func (h *handler) ready(w http.ResponseWriter, _ *http.Request) { health(w, h.opt.Ready) }

// health says why something is not so, if there is anything to be asked.
func health(w http.ResponseWriter, ask func() error) {
	if ask != nil {
		if err := ask(); err != nil {
			plain(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
	}
	plain(w, http.StatusOK, "ok\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // who went away needs no answer
}
