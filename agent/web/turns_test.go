package web

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnswersTakeTurns: however many ask, few answers are worked out at a time, for a sweep shares the processors. Whoever reads
// slowly keeps nobody waiting, and whether the agent is well is told at once.
func TestAnswersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy, most, answered atomic.Int32
		h := atOnce(maxAtOnce, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := busy.Add(1)
			for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
			}
			time.Sleep(time.Second)
			busy.Add(-1)
			_, _ = w.Write([]byte("answer"))
		}))
		ask := func(w http.ResponseWriter, path string) {
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		}
		var asked sync.WaitGroup
		start := time.Now()
		for range maxTurns {
			asked.Go(func() { ask(&slowReader{httptest.NewRecorder()}, "/api/v1/export") })
		}
		for range 40 {
			asked.Go(func() {
				ask(httptest.NewRecorder(), "/")
				answered.Add(1)
			})
		}
		synctest.Wait()
		if n := busy.Load(); n != maxTurns {
			t.Errorf("%d are worked out at first, want %d", n, maxTurns)
		}
		ask(httptest.NewRecorder(), "/-/healthy")
		if took := time.Since(start); took != time.Second {
			t.Errorf("its health is told after %v", took)
		}
		time.Sleep(time.Minute)
		if n := most.Load(); n > maxTurns+1 { // and that of its health
			t.Errorf("%d were worked out at a time, want %d", n, maxTurns)
		}
		if n := answered.Load(); n != 40 {
			t.Errorf("%d of 40 are answered while %d read slowly", n, maxTurns)
		}
		asked.Wait()
	})
}

// slowReader takes an answer in an hour.
type slowReader struct{ *httptest.ResponseRecorder }

func (r *slowReader) Write(b []byte) (int, error) {
	time.Sleep(time.Hour)
	return r.ResponseRecorder.Write(b)
}
