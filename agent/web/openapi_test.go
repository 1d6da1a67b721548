package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

// described is the API's own description, by which its answers are judged.
type described struct {
	doc    *openapi3.T
	router routers.Router
}

func describe(t *testing.T, h http.Handler) described {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(body(t, h, "/api/v1/openapi.json")))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	openapi3filter.RegisterBodyDecoder("application/jsonl", text)
	openapi3filter.RegisterBodyDecoder("text/csv", text)
	openapi3filter.RegisterBodyDecoder("text/event-stream", text)
	openapi3filter.RegisterBodyDecoder("application/zip", text)
	return described{doc, router}
}

func text(in io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	b, err := io.ReadAll(in)
	return string(b), err
}

// check holds an answer against the description, and returns its status.
func (d described) check(t *testing.T, h http.Handler, target string) int {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, target, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	route, values, err := d.router.FindRoute(req)
	if err != nil {
		t.Errorf("%s: %v", target, err)
		return w.Code
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route, PathParams: values},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s: %d: %v", target, w.Code, err)
	}
	return w.Code
}

// liveOptions are those of an agent that runs, half an hour after the recorded rounds.
func liveOptions() web.Options {
	return web.Options{
		Now: func() time.Time { return time.Date(2026, 3, 1, 6, 36, 0, 0, time.UTC) },
		Live: func() *web.Agent {
			return &web.Agent{Version: "test", Vantage: "fra1", Healthy: true, Checked: true, Round: &web.Progress{Start: 1, Sent: 1, Planned: 2}}
		},
		About: web.About{Operator: "the tests", Contact: "tests@example.org", Settings: []web.Setting{{Name: "Rounds", Value: "11m"}}},
	}
}

// TestAnswersAreAsDescribed holds every route's answers, in every format, against the OpenAPI document.
func TestAnswersAreAsDescribed(t *testing.T) {
	s := openStore(t)
	h := web.Handler(s, liveOptions())
	d := describe(t, h)
	id := url.PathEscape(firstOutage(t, h))
	asked := map[string]bool{}
	for _, target := range []string{
		"status", "status?format=csv", "blocks", "blocks?format=csv", "outages", "outages?format=codf", "outages?format=csv&blocks=1",
		"outages?blocks=true&kind=total", "outages/" + id, "outages/" + id + "?format=codf", "outages/" + id + "?format=csv",
		"outages/" + id + "/evidence.zip", "rounds", "rounds?format=csv", "rounds?limit=0&kind=round",
		"rounds/2026-03-01T04:02:00Z", "rounds/2026-03-01T04:02:00Z?format=csv", "addresses/198.18.0.3", "addresses/198.18.0.3?format=csv",
		"changes", "states", "states?format=csv", "summaries", "summaries?by=hour", "summaries?by=day&format=csv", "series?since=2026-03-01", "series?since=2026-03-01&points=5",
		"series?since=2026-03-01&format=csv", "series?since=2020-01-01&until=2020-01-02", "series?since=2026-03-01&block=198.18.1.0/24",
		"frames?since=2026-03-01", "frames?since=2026-03-01&limit=3", "frames?since=2020-01-01&until=2020-01-02", "export", "export?format=csv", "openapi.json",
	} {
		if code := d.check(t, h, "/api/v1/"+target); code != http.StatusOK {
			t.Errorf("%s: %d", target, code)
		}
		asked[strings.NewReplacer(id, "{id}", "198.18.0.3", "{ip}", "2026-03-01T04:02:00Z", "{start}").Replace(strings.SplitN(target, "?", 2)[0])] = true
	}
	if code := d.check(t, h, "/api/v1/stream"); code != http.StatusServiceUnavailable {
		t.Errorf("a stream without an agent: %d", code)
	}
	asked["stream"] = true
	for path := range d.doc.Paths.Map() {
		if !asked[strings.TrimPrefix(path, "/api/v1/")] {
			t.Errorf("%s is described, and was not asked for", path)
		}
	}
}

// TestAnyQuestionIsAnswered asks nonsense: it is a problem of the asker's, as described, and never a failure of ours.
func TestAnyQuestionIsAnswered(t *testing.T) {
	h := web.Handler(openStore(t), liveOptions())
	d := describe(t, h)
	rng := rand.New(rand.NewPCG(6, 1))
	values := []string{"", "0", "-1", "1", "3", "1e9", "99999999999999999999", "-24h", "-1w", "now", "2026-03-01", "2026-03-01T05:00:00Z", "space",
		"198.18.1.0/24", "csv", "codf", "json", "true", "total", "ended", "round", "\x00", "é", "../..", "NaN", "-0h", "1772340000.5", strings.Repeat("9", 300)}
	names := []string{"since", "until", "block", "blocks", "limit", "points", "format", "kind", "status", "theme", "at", "x"}
	paths := []string{"outages/%2e%2e", "outages/x", "rounds/-1h", "rounds/1e99", "addresses/::1", "addresses/198.18.0.3", "rounds/2026-03-01T00:00:00Z"}
	for path := range d.doc.Paths.Map() {
		if !strings.Contains(path, "{") && !strings.HasSuffix(path, "stream") {
			paths = append(paths, strings.TrimPrefix(path, "/api/v1/"))
		}
	}
	codes := map[int]int{}
	for range 1500 {
		q := url.Values{}
		for range rng.IntN(4) {
			q.Add(names[rng.IntN(len(names))], values[rng.IntN(len(values))])
		}
		codes[d.check(t, h, "/api/v1/"+paths[rng.IntN(len(paths))]+"?"+q.Encode())]++
	}
	if codes[200] == 0 || codes[400] == 0 || codes[200]+codes[400]+codes[404] != 1500 {
		t.Errorf("answers by status: %v, want 200, 400 and 404 alone", codes)
	}
}

// TestSeriesTellsUnknownFromZero reads a total outage as 0 and what was not seen as null, in points of any width.
func TestSeriesTellsUnknownFromZero(t *testing.T) {
	s := openStore(t)
	h := web.Handler(s, liveOptions())
	for _, points := range []string{"1500", "6"} {
		var got web.Series
		if err := json.Unmarshal([]byte(body(t, h, "/api/v1/series?since=2026-03-01&points="+points)), &got); err != nil {
			t.Fatal(err)
		}
		zeros := 0
		for i, rate := range got.Lowest {
			if rate != nil && *rate == 0 {
				zeros++
			}
			if (rate == nil) != (got.Rate[i] == nil) || (rate == nil) != (got.Expected[i] == nil) {
				t.Errorf("point %d is half known", i)
			}
		}
		if zeros == 0 || len(got.Protocols) != 2 || got.Protocols[0].Protocol != probe.ICMP || len(got.Time) != len(got.Protocols[1].Answering) {
			t.Errorf("%s points: %d zeros, protocols %+v", points, zeros, got.Protocols)
		}
		if points == "6" && (got.Step == 0 || len(got.Time) > 7) || points != "6" && got.Step != 0 {
			t.Errorf("%s points: %d of %d ms", points, len(got.Time), got.Step)
		}
	}
}

// TestRoundUnderWay: what the agent has not sent yet is no failure to send.
func TestRoundUnderWay(t *testing.T) {
	s := openStore(t)
	var last *probe.Round
	for r, err := range s.Rounds(0, outage.EndOfTime, true) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == probe.Full {
			last = r
			break
		}
	}
	opt := liveOptions()
	opt.Live = func() *web.Agent { return &web.Agent{Round: &web.Progress{Start: last.Start}} }
	h := web.Handler(s, opt)
	var rounds []web.RoundInfo
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/rounds?kind=round&limit=2", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &rounds); err != nil {
		t.Fatal(err)
	}
	if len(rounds) != 2 || !rounds[0].UnderWay || rounds[1].UnderWay {
		t.Errorf("%s", w.Body.Bytes())
	}
}
