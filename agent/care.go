package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"brownout/probe"
	"brownout/store"
)

// carePrefix is where the agent takes care of its store, for whoever may open its Unix socket: the store's owner alone.
const carePrefix = "/-/store/"

// careTask is something that is done to a store, by the command itself or, where an agent has the store, by the agent.
type careTask struct {
	name   string
	writes bool
	run    func(s *store.Store, q url.Values, progress func(done, total int)) (any, error)
}

var careTasks = []careTask{
	{"verify", false, func(s *store.Store, _ url.Values, progress func(done, total int)) (any, error) {
		return struct{}{}, s.Verify(progress)
	}},
	{"compact", true, func(s *store.Store, _ url.Values, progress func(done, total int)) (any, error) {
		before, after, err := s.Compact(progress)
		return compacted{before, after}, err
	}},
	{"prune", true, func(s *store.Store, q url.Values, _ func(done, total int)) (any, error) {
		r, err := retentionFrom(q)
		if err != nil {
			return nil, err
		}
		return s.Prune(probe.InstantOf(time.Now()), r, q.Get("dry") != "")
	}},
}

func careTaskOf(name string) *careTask {
	for i := range careTasks {
		if careTasks[i].name == name {
			return &careTasks[i]
		}
	}
	return nil
}

// compacted is a compaction's result: sizes of the file in bytes.
type compacted struct {
	Before int64 `json:"before_bytes"`
	After  int64 `json:"after_bytes"`
}

// careLine is a line of the agent's answer: progress, and in the end a result or an error.
type careLine struct {
	Done   int             `json:"done,omitempty"`
	Total  int             `json:"total,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	Full   bool            `json:"full,omitempty"` // the error is that of a full disk
}

// caring serves carePrefix beside the API.
func caring(s *store.Store, log *slog.Logger, api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("POST "+carePrefix+"{task}", func(w http.ResponseWriter, r *http.Request) {
		if task := careTaskOf(r.PathValue("task")); task != nil && onSocket(r) {
			serveCare(w, r, task, s, log)
			return
		}
		api.ServeHTTP(w, r)
	})
	mux.HandleFunc("POST "+carePrefix+"backup", func(w http.ResponseWriter, r *http.Request) {
		if !onSocket(r) {
			api.ServeHTTP(w, r)
			return
		}
		if err := s.BackupTo(w); err != nil {
			log.Warn("a backup broke off", "error", err)
			panic(http.ErrAbortHandler) // so that nobody takes it for whole
		}
	})
	return mux
}

// onSocket reports whether a request came over the Unix socket.
func onSocket(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}

func serveCare(w http.ResponseWriter, r *http.Request, task *careTask, s *store.Store, log *slog.Logger) {
	w.Header().Set("Content-Type", "application/jsonl")
	out := json.NewEncoder(w)
	control := http.NewResponseController(w)
	tell := func(line careLine) {
		_ = out.Encode(line) // who went away needs no answer, and the task goes on
		_ = control.Flush()
	}
	said := time.Now()
	result, err := task.run(s, r.URL.Query(), func(done, total int) {
		if time.Since(said) > careEvery {
			said = time.Now()
			tell(careLine{Done: done, Total: total})
		}
	})
	var line careLine
	if err == nil {
		line.Result, err = json.Marshal(result)
	}
	if err != nil {
		log.Warn("care of the store failed", "task", task.name, "error", err)
		line = careLine{Error: err.Error(), Full: isFull(err)}
	} else {
		attrs := []any{"task", task.name, "result", string(line.Result)}
		if r.URL.Query().Get("dry") != "" {
			attrs = append(attrs, "dry_run", true)
		}
		log.Info("care of the store", attrs...)
	}
	tell(line)
}

// careEvery is how often progress is told.
const careEvery = 200 * time.Millisecond

// retentionFrom reads parameters as retentionValues writes them.
func retentionFrom(q url.Values) (r store.Retention, err error) {
	days := func(name string) time.Duration {
		n, errNumber := strconv.ParseUint(q.Get(name), 10, 32)
		if errNumber != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, errNumber))
		}
		return time.Duration(min(n, longestKept)) * 24 * time.Hour
	}
	r.Rounds, r.Summaries, r.Hours, r.Outages = days("rounds"), days("summaries"), days("hours"), days("outages")
	mb, errNumber := strconv.ParseUint(q.Get("mb"), 10, 31)
	r.MaxSize = int64(mb) << 20
	return r, errors.Join(err, errNumber)
}

func retentionValues(c *StoreConfig) url.Values {
	q := url.Values{}
	for name, n := range map[string]int{"rounds": c.KeepRoundsDays, "summaries": c.KeepSummariesDays, "hours": c.KeepHoursDays,
		"outages": c.KeepOutagesDays, "mb": c.MaxSizeMB} {
		q.Set(name, strconv.Itoa(n))
	}
	return q
}
