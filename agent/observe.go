package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"brownout/agent/notify"
	"brownout/agent/web"
	"brownout/probe"
)

// Self is what the agent observes of itself. Counters are since its start.
type Self struct {
	Rounds         uint64         `json:"rounds"`         // full rounds, committed
	LastRound      probe.Instant  `json:"last_round"`     // when the latest of them was committed; 0: none was
	RoundsLate     uint64         `json:"rounds_late"`    // that began more than a second after they were due
	Lateness       float64        `json:"lateness_s"`     // of the latest round's beginning
	MostLate       float64        `json:"most_late_s"`    // of any
	Unsent         uint64         `json:"unsent"`         // probes of full rounds that this machine failed to send
	Goroutines     int            `json:"goroutines"`     //
	HeapBytes      uint64         `json:"heap_bytes"`     // in use
	ResidentBytes  uint64         `json:"rss_bytes"`      // 0: not known here
	FileBytes      uint64         `json:"rss_file_bytes"` // of these, pages of the program's and the store's files, which the kernel can take back
	Descriptors    int            `json:"descriptors"`    // open; 0: not known here
	Reloads        uint64         `json:"reloads"`        // of the configuration
	ReloadsFailed  uint64         `json:"reloads_failed"`
	ConfigInEffect bool           `json:"config_in_effect"` // whether the latest configuration read is the one in effect
	Channels       []notify.Stats `json:"channels"`
}

// selfObserver collects it.
type selfObserver struct {
	delivery atomic.Pointer[notify.Deliverer]

	mu sync.Mutex // guards what follows
	is Self
	ok bool // the latest reload failed not
}

// follow makes it observe an engine that is about to run.
func (s *selfObserver) follow(e *engine) {
	e.Tell = func([]*notify.Notice) { s.wake() }
}

// lateLimit is what a round may begin late by and still be in time: the engine looks every second.
const lateLimit = 2 * time.Second

func (s *selfObserver) began(late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.is.Lateness = late.Seconds()
	s.is.MostLate = max(s.is.MostLate, late.Seconds())
	if late > lateLimit {
		s.is.RoundsLate++
	}
}

// sealed takes in a round that is over and stored. Only full ones feed the watchdog.
func (s *selfObserver) sealed(e *engine, r *probe.Round) {
	if r.Kind != probe.Full {
		return
	}
	unsent := 0
	for i := range r.Passes {
		unsent += len(r.Passes[i].Unsent)
	}
	s.mu.Lock()
	s.is.Rounds++
	s.is.Unsent += uint64(unsent)
	s.is.LastRound = probe.InstantOf(time.Now())
	s.mu.Unlock()
	status := "the first round was completed"
	if b := e.detector.Blocks(); len(b) > 0 {
		status = fmt.Sprintf("%v; %d of %.1f expected addresses answer", b[0].State, b[0].Observed, b[0].Expected.Float())
	}
	roundDone(status)
}

func (s *selfObserver) reloaded(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.is.Reloads++
	s.ok = err == nil
	if err != nil {
		s.is.ReloadsFailed++
	}
}

// wake says that there is something to deliver.
func (s *selfObserver) wake() {
	if d := s.delivery.Load(); d != nil {
		d.Wake()
	}
}

// deliveries is what the metrics tell of the channels.
func (s *selfObserver) deliveries() (list []web.Deliveries) {
	if d := s.delivery.Load(); d != nil {
		for _, c := range d.Stats() {
			list = append(list, web.Deliveries{Channel: c.Channel, OK: c.Delivered, Failed: c.Failed})
		}
	}
	return list
}

// Self is how things are now.
func (s *selfObserver) Self() Self {
	s.mu.Lock()
	out := s.is
	out.ConfigInEffect = s.ok || out.Reloads == 0
	s.mu.Unlock()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out.Goroutines, out.HeapBytes = runtime.NumGoroutine(), m.HeapInuse
	out.ResidentBytes, out.FileBytes = residentBytes()
	out.Descriptors = openDescriptors()
	if d := s.delivery.Load(); d != nil {
		out.Channels = d.Stats()
	}
	return out
}

// residentBytes reads proc(5)'s statm: all that is resident, and what of it are pages of files.
func residentBytes() (all, file uint64) {
	b, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 3 {
		return 0, 0
	}
	all, _ = strconv.ParseUint(fields[1], 10, 64) // the kernel's numbers parse
	file, _ = strconv.ParseUint(fields[2], 10, 64)
	page := uint64(os.Getpagesize())
	return all * page, file * page
}

func openDescriptors() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	return max(0, len(names)-1) // less this one
}

// socketOnly answers what only the store's owner may see, which is who can connect to the Unix socket: profiles, and what
// the agent observes of itself. Elsewhere h answers, and knows nothing of it.
func socketOnly(s *selfObserver, h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/self", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Self()) // who went away needs no answer
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if onSocket(r) && strings.HasPrefix(r.URL.Path, "/debug/") {
			mux.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
