package agent

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"brownout/agent/web"
)

// TestProcessors: an agent that only measures has one, and whoever asks has all. It is not parallel: GOMAXPROCS is everybody's.
func TestProcessors(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	all := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(all)
	var p processors
	has := func(when string, want int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("%s: %d processors, want %d", when, got, want)
		}
	}
	over := p.measure()
	has("measuring", 1)
	for path, want := range map[string]int{web.Prefix + "status": 2, web.Prefix + "stream": 1} {
		p.lend(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { has("asked for "+path, want) })).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		has("answered", 1)
	}
	over()
	has("over", 2)
}
