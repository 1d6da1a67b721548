package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"brownout/agent/web"
)

// BenchmarkYear asks a store of a year of rounds of eleven minutes what a page asks. It tells the size that goes over the wire.
func BenchmarkYear(b *testing.B) {
	s, now := worldStore(b, 365)
	day, year := now.Add(-dayMS).String(), now.Add(-365*dayMS).String()
	h := web.Handler(s, web.Options{Now: now.Time})
	for _, tt := range []struct{ name, path string }{
		{"overview", "/"}, {"year", "/api/v1/series?since=" + year + "&until=" + now.String()},
		{"hours", "/api/v1/summaries?by=hour&since=" + year + "&until=" + now.String()},
		{"frames", "/api/v1/frames?since=" + day + "&until=" + now.String()}, {"outages", "/outages"}, {"status", "/api/v1/status"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			size := fetch(b, h, tt.path) // what is worked out once is worked out now
			for b.Loop() {
				fetch(b, h, tt.path)
			}
			b.ReportMetric(float64(size), "gzip-bytes")
		})
	}
}

func fetch(b *testing.B, h http.Handler, path string) int {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.Len()
}
