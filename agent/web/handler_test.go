package web_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

// openStore makes a store of the recorded rounds, committed as an agent does.
func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "s.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Verify(nil); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	f, err := os.Open("../testdata/rounds.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := outage.New(outage.Config{})
	for in := probe.NewRoundReader(f); ; {
		r, err := in.Next()
		if errors.Is(err, io.EOF) {
			return s
		}
		if err == nil {
			err = d.Put(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		c := store.Commit{Sealed: []*probe.Round{r}, Findings: d.Advance(r.End.Add(-1000)), Cursor: d.Cursor()}
		if c.Detector, err = d.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(c); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func body(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := get(t, h, path)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// TestPeriodsSayWhatStatesSay: the worst state of an hour or a day, and its seconds, are those of the states.
func TestPeriodsSayWhatStatesSay(t *testing.T) {
	h := web.Handler(openStore(t), web.Options{})
	bad := 0
	for _, block := range []string{"space", "198.18.1.0/24"} {
		var states []outage.Stretch
		if err := json.Unmarshal([]byte(body(t, h, "/api/v1/states?block="+block)), &states); err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{"hour", "day"} {
			var periods []web.Period
			if err := json.Unmarshal([]byte(body(t, h, "/api/v1/summaries?by="+by+"&block="+block)), &periods); err != nil {
				t.Fatal(err)
			}
			for _, p := range periods {
				var ms [outage.Unknown + 1]int64
				for _, s := range states {
					ms[s.State] += max(int64(min(s.End, p.End)-max(s.Start, p.Start)), 0)
				}
				if ms[p.State] == 0 || (p.State == outage.Total) != (ms[outage.Total] > 0) {
					t.Errorf("%s, %s of %v: %v, of milliseconds by state %v", block, by, p.Start, p.State, ms)
				}
				for i, got := range []int{p.TotalFor, p.PartialFor, p.UnknownFor} {
					want := ms[[]outage.State{outage.Total, outage.Partial, outage.Unknown}[i]]
					if int64(got) != (want+500)/1000 {
						t.Errorf("%s, %s of %v: %d s, want %d ms", block, by, p.Start, got, want)
					}
					bad += got
				}
			}
		}
	}
	if bad == 0 {
		t.Error("no hour has an outage")
	}
}

// TestExportReplaysToTheSame proves that what the API says is what a replay of its export says, to the byte.
func TestExportReplaysToTheSame(t *testing.T) {
	h := web.Handler(openStore(t), web.Options{})
	history, err := outage.Replay(outage.Config{}, probe.NewRoundReader(strings.NewReader(body(t, h, "/api/v1/export"))))
	if err != nil {
		t.Fatal(err)
	}
	for path, list := range map[string]any{
		"/api/v1/outages":             history.Outages(false),
		"/api/v1/outages?blocks=true": history.Outages(true),
		"/api/v1/states":              outage.Timeline(history.Changes, history.Until),
	} {
		var want bytes.Buffer
		switch list := list.(type) {
		case []outage.Outage:
			err = web.WriteList(&want, list)
		case []outage.Stretch:
			err = web.WriteList(&want, list)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, h, path); got != want.String() || len(got) < 100 {
			t.Errorf("%s:\n%s\nbut a replay of the export:\n%s", path, got, want.String())
		}
	}
}

// TestListsAreWellFormed reads every route as JSON and as CSV.
func TestListsAreWellFormed(t *testing.T) {
	h := web.Handler(openStore(t), web.Options{})
	for _, tt := range []struct {
		path string
		rows int // of CSV, without the header; JSON lists have as many, or fewer where a row is a part
	}{
		{"status", 3}, {"blocks", 3}, {"outages", 2}, {"outages?blocks=true", 5}, {"outages?block=198.18.1.0/24", 2},
		{"outages?status=ongoing", 1}, {"outages?limit=1", 1}, {"outages?until=2026-03-01T04:30:00Z", 1},
		{"outages?since=2026-03-01T05:20:00Z", 1}, {"outages/" + firstOutage(t, h), 1},
		{"rounds", 40}, {"rounds?limit=0", 72}, {"rounds?kind=core", 0}, {"rounds?since=2026-03-01T06:25:00Z", 2},
		{"rounds/2026-03-01T00:00:00Z", 288}, {"addresses/198.18.0.3", 72}, {"addresses/198.18.0.3?limit=5", 5},
		{"addresses/203.0.113.7", 0}, {"changes?block=space&since=2026-03-01T05:20:00Z", 1}, {"states?block=space&since=2026-03-01T05:20:00Z", 2},
		{"states?block=space&since=2026-03-01T03:00:00Z&until=2026-03-01T03:30:00Z", 1},
		{"summaries", 35}, {"summaries?limit=3", 3}, {"summaries?by=hour&limit=2", 2}, {"summaries?block=198.18.1.0/24&since=2026-03-01T06:14:00Z", 1},
		{"export?since=2026-03-01T06:25:00%2B00:00", 288},
	} {
		sep := "?"
		if strings.Contains(tt.path, "?") {
			sep = "&"
		}
		rows, err := csv.NewReader(strings.NewReader(body(t, h, "/api/v1/"+tt.path+sep+"format=csv"))).ReadAll()
		if err != nil || len(rows) != tt.rows+1 {
			t.Errorf("%s: %d rows and a header, error %v, want %d rows", tt.path, len(rows)-1, err, tt.rows)
		}
		if strings.HasPrefix(tt.path, "export") {
			continue
		}
		if text := body(t, h, "/api/v1/"+tt.path); !json.Valid([]byte(text)) || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s is no JSON: %s", tt.path, text)
		}
	}
}

func firstOutage(t *testing.T, h http.Handler) string {
	t.Helper()
	var list []outage.Outage
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/outages")), &list); err != nil || len(list) == 0 {
		t.Fatalf("no outages: %v", err)
	}
	return list[0].ID
}

func TestRoundsAreNewestFirst(t *testing.T) {
	var list []web.RoundInfo
	if err := json.Unmarshal([]byte(body(t, web.Handler(openStore(t), web.Options{}), "/api/v1/rounds?limit=0")), &list); err != nil {
		t.Fatal(err)
	}
	for i := range list[1:] {
		if list[i].Start <= list[i+1].Start {
			t.Errorf("%v stands before %v", list[i].Start, list[i+1].Start)
		}
	}
	first := list[len(list)-1]
	if first.Answering != 22 || first.Probes[0].Reply+first.Probes[0].Timeout != first.Addresses {
		t.Errorf("the first round is %+v", first)
	}
}

// TestProblems is the table of questions that are none.
func TestProblems(t *testing.T) {
	h := web.Handler(openStore(t), web.Options{})
	for _, tt := range []struct {
		path, parameter string
		status          int
	}{
		{"/api/v1/outages?sincee=-1h", "sincee", 400},
		{"/api/v1/outages?since=yesterday", "since", 400},
		{"/api/v1/outages?since=-1h&since=-2h", "since", 400},
		{"/api/v1/outages?since=-1h&until=-2h", "since", 400},
		{"/api/v1/outages?blocks=maybe", "blocks", 400},
		{"/api/v1/outages?format=xml", "format", 400},
		{"/api/v1/outages?format=jsonl", "format", 400},
		{"/api/v1/outages?status=over", "status", 400},
		{"/api/v1/outages?%zz", "query", 400},
		{"/api/v1/rounds?limit=-1", "limit", 400},
		{"/api/v1/rounds?limit=1e3", "limit", 400},
		{"/api/v1/rounds?since=1e12", "since", 400},
		{"/api/v1/rounds?until=-5x", "until", 400},
		{"/api/v1/rounds?kind=full", "kind", 400},
		{"/api/v1/rounds/now%20or%20never", "start", 400},
		{"/api/v1/rounds/2026-03-01T00:00:01Z", "", 404},
		{"/api/v1/rounds/2026-03-01T00:00:00Z?kind=core", "", 404},
		{"/api/v1/addresses/host", "ip", 400},
		{"/api/v1/outages/nothing", "", 404},
		{"/api/v1/states?block=nothing", "", 404},
		{"/api/v1/changes?block=nothing", "", 404},
		{"/api/v1/series?block=nothing", "", 404},
		{"/api/v1/outages?block=198.18.0.0", "", 404},
		{"/api/v1/outages?block=198.18.0.0&format=codf", "", 404},
		{"/api/v1/summaries?block=198.18.0.0", "", 404},
		{"/api/v1/summaries?block=198.18.0.0&by=hour", "", 404},
		{"/api/v1/export?format=json", "format", 400},
		{"/api/v1/status?blocks=true", "blocks", 400},
		{"/api/v1/nothing", "", 404},
		{"/nothing", "", 404},
	} {
		w := get(t, h, tt.path)
		var p web.Problem
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if err != nil || w.Code != tt.status || p.Status != tt.status || p.Parameter != tt.parameter || p.Title == "" || p.Detail == "" ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v %s, want %d about %q", tt.path, w.Code, err, w.Body, tt.status, tt.parameter)
		}
	}
}

// Every question about a block that is not there names those that are, and the space is one even where nothing was measured.
func TestUnknownBlock(t *testing.T) {
	empty, err := store.Open(filepath.Join(t.TempDir(), "s.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	h, hEmpty := web.Handler(openStore(t), web.Options{}), web.Handler(empty, web.Options{})
	for _, path := range []string{"outages", "summaries", "states", "changes", "series"} {
		const want = `"detail":"there is no block \"198.18.0.0\"; there are: space, 198.18.0.0/24, 198.18.1.0/24"`
		if w := get(t, h, "/api/v1/"+path+"?block=198.18.0.0"); w.Code != 404 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
		}
		if w := get(t, h, "/api/v1/"+path+"?block=198.18.0.0/24"); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		for _, block := range []string{"", "?block=space"} {
			if w := get(t, hEmpty, "/api/v1/"+path+block); w.Code != 200 {
				t.Errorf("%s%s of an empty store: %d %s", path, block, w.Code, w.Body)
			}
		}
	}
}

// TestProblemsForPeople asks as a browser does: what is wrong with a page is a page, which says no more than it knows; the API
// answers as ever.
func TestProblemsForPeople(t *testing.T) {
	h := web.Handler(openStore(t), liveOptions())
	for path, want := range map[string]int{
		"/nothing": 404, "/outages/nothing": 404, "/addresses/host": 400, "/?since=x": 400, "/api/nothing": 404, "/api/v1/nothing": 404,
		"/?x=" + strings.Repeat("x", 5000): 414,
	} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		kind := "text/html; charset=utf-8"
		if strings.HasPrefix(path, web.Prefix) {
			kind = "application/problem+json"
		}
		if got := w.Header().Get("Content-Type"); w.Code != want || got != kind {
			t.Errorf("%.40s: %d as %s, want %d as %s", path, w.Code, got, want, kind)
		}
		for _, wrong := range []string{"No agent runs", "1970", "has not given a name"} {
			if strings.Contains(w.Body.String(), wrong) {
				t.Errorf("%.40s says %q", path, wrong)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	h := web.Handler(openStore(t), web.Options{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/api/v1/outages", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestHealth(t *testing.T) {
	notYet := errors.New("the first round is under way")
	h := web.Handler(openStore(t), web.Options{Ready: func() error { return notYet }})
	for path, want := range map[string]int{"/-/healthy": 200, "/healthz": 200, "/-/ready": 503, "/readyz": 503} {
		if w := get(t, h, path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	notYet = nil
	if w := get(t, h, "/readyz"); w.Code != 200 {
		t.Errorf("ready: %d %s", w.Code, w.Body)
	}
	stuck := web.Handler(openStore(t), web.Options{Alive: func() error { return errors.New("it stands still") }})
	if w := get(t, stuck, "/-/healthy"); w.Code != 503 {
		t.Errorf("an agent that stands still: %d %s", w.Code, w.Body)
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"2014-12-22T16:15:00Z":      "2014-12-22T16:15:00.000Z",
		"2014-12-23T01:15:00+09:00": "2014-12-22T16:15:00.000Z",
		"2014-12-23T01:15:00 09:00": "2014-12-22T16:15:00.000Z",
		"2014-12-22":                "2014-12-22T00:00:00.000Z",
		"1419264900":                "2014-12-22T16:15:00.000Z",
		"1419264900.25":             "2014-12-22T16:15:00.250Z",
		"-24h":                      "2026-02-28T12:00:00.000Z",
		"-7d":                       "2026-02-22T12:00:00.000Z",
		"-2w":                       "2026-02-15T12:00:00.000Z",
		"-1h30m":                    "2026-03-01T10:30:00.000Z",
		"now":                       "2026-03-01T12:00:00.000Z",
	} {
		if got, err := web.ParseTime(s, now); err != nil || got.String() != want {
			t.Errorf("%s: %v %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-", "--1h", "-d", "-1y", "nan", "inf", "1e300", "24h", "2014-12-22T16:15:00"} {
		if got, err := web.ParseTime(s, now); err == nil {
			t.Errorf("%q is %v, want an error", s, got)
		}
	}
}

// TestSocket serves a real socket to its owner alone, after one that was left behind, and until the context ends.
func TestSocket(t *testing.T) {
	s := openStore(t)
	if err := os.WriteFile(web.SocketPath(s.Path()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := web.ListenSocket(s.Path()); err == nil {
		t.Error("a file that is no socket was removed")
	}
	os.Remove(web.SocketPath(s.Path()))
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: web.SocketPath(s.Path())})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if web.Answers(s.Path()) {
		t.Error("a socket that was left behind answers")
	}
	l, err := web.ListenSocket(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(web.SocketPath(s.Path())); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v, want 0600", info.Mode(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- web.Serve(ctx, web.Handler(s, web.Options{}), nil, web.Listener{Listener: l}) }()
	if !web.Answers(s.Path()) {
		t.Error("nobody answers")
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(web.SocketPath(s.Path())); err == nil {
		t.Error("the socket is still there")
	}
	if _, err := web.ListenSocket("/" + strings.Repeat("x", 110)); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("a long name gives %v", err)
	}
}

func TestServeEndsWithItsListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := web.Serve(context.Background(), http.NotFoundHandler(), nil, web.Listener{Listener: l}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(l.Addr())) {
		t.Errorf("got %v, want what failed", err)
	}
}

// TestAfterUpgrade asks a store whose last commit another version made: the answers are the same, learned anew from its
// rounds.
func TestAfterUpgrade(t *testing.T) {
	s := openStore(t)
	now := func() time.Time { return time.Date(2026, 3, 1, 6, 36, 0, 0, time.UTC) }
	h := web.Handler(s, web.Options{Now: now})
	paths := []string{"status", "blocks?format=csv", "outages?blocks=true", "states", "export"}
	var before []string
	for _, path := range paths {
		before = append(before, body(t, h, "/api/v1/"+path))
	}
	if err := s.Commit(store.Commit{Detector: []byte{0}}); err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		if got := body(t, h, "/api/v1/"+path); got != before[i] {
			t.Errorf("%s was\n%s\nand is\n%s", path, before[i], got)
		}
	}
}

// TestOldOutages answers with an outage of before some of its lists were told: they are empty, never null.
func TestOldOutages(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "s.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := probe.Instant(1_772_000_000_000)
	start := outage.Interval{Earliest: at, At: at, Latest: at}
	old := outage.Outage{ID: "space-old", Block: outage.SpaceBlock, Kind: outage.Partial, Status: outage.Ongoing, Start: start,
		Phases: []outage.Phase{{Kind: outage.Partial, Start: start}}, DeclaredAt: at, Revisions: []outage.Revision{{At: at, Finding: outage.Moved}}}
	if err := s.Commit(store.Commit{Findings: outage.Findings{Outages: []outage.Outage{old}}}); err != nil {
		t.Fatal(err)
	}
	h := web.Handler(s, web.Options{})
	for _, path := range []string{"outages", "outages/space-old", "status"} {
		got := body(t, h, "/api/v1/"+path)
		for _, name := range []string{"dark", "gone", "protocols", "evidence", "conditions", "revisions", "addresses", "rounds"} {
			if strings.Contains(strings.ReplaceAll(got, " ", ""), `"`+name+`":null`) {
				t.Errorf("%s: %s is null", path, name)
			}
		}
	}
	if rows := body(t, h, "/api/v1/outages?format=csv"); !strings.Contains(rows, ",moved@"+at.String()+"\n") || !strings.Contains(rows, ",revisions\n") {
		t.Errorf("as CSV: %s", rows)
	}
}

// TestCodfNamesTheSpace asks for outages of a space that is no single prefix: it is named by who looks at it.
func TestCodfNamesTheSpace(t *testing.T) {
	h := web.Handler(openStore(t), web.Options{})
	var got web.Codf
	if err := json.Unmarshal([]byte(body(t, h, "/api/v1/outages?format=codf&blocks=true")), &got); err != nil {
		t.Fatal(err)
	}
	places := map[string]bool{}
	for _, e := range got.Data {
		places[e.Location] = true
	}
	if !places["space/test"] || !places["prefix/198.18.1.0/24"] || len(places) != 3 {
		t.Errorf("the outages are at %v", places)
	}
}

// TestAboutSaysWhatWasSent: a store that was measured by one protocol says nothing of others.
func TestAboutSaysWhatWasSent(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "s.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := lab.Reference(1)
	m.Protocols = []probe.Protocol{probe.ICMP}
	sim := lab.NewSimulation(m, 1)
	r := sim.Round(probe.Full, m.Start, worldRound, sim.Aims())
	if err := s.Commit(store.Commit{Sealed: []*probe.Round{r}}); err != nil {
		t.Fatal(err)
	}
	page := body(t, web.Handler(s, web.Options{}), "/about")
	if !strings.Contains(page, "ICMP echo requests") || strings.Contains(page, "TCP connections") || strings.Contains(page, "DNS questions") {
		t.Error(page)
	}
}

// TestOverviewOfManyBlocks: of hundreds of outages that last, the space's is told first, and the others not one by one. Hundreds of
// blocks do not push the plots out of sight.
func TestOverviewOfManyBlocks(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "s.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := probe.Instant(1_772_000_000_000)
	var f outage.Findings
	lasts := func(block string, at probe.Instant) {
		start := outage.Interval{Earliest: at, At: at, Latest: at}
		f.Outages = append(f.Outages, outage.Outage{ID: block + "-id", Block: block, Kind: outage.Total, Status: outage.Ongoing, Start: start, Phases: []outage.Phase{{Kind: outage.Total, Start: start}}, DeclaredAt: at})
	}
	for i := range 300 {
		lasts(fmt.Sprintf("198.%d.%d.0/24", 18+i/256, i%256), at)
	}
	lasts(outage.SpaceBlock, at.Add(1000))
	commit(t, s, outage.New(outage.Config{}), &store.Commit{Findings: f})
	page := body(t, web.Handler(s, web.Options{}), "/")
	_, list, _ := strings.Cut(page, "Going on now")
	if first, _, _ := strings.Cut(list, "</li>"); !strings.Contains(first, "/outages/space-id") {
		t.Errorf("first stands %s", first)
	}
	if n := strings.Count(list, "/outages/198."); n > 12 || !strings.Contains(list, "All 301 that last") {
		t.Errorf("%d outages of blocks are told one by one", n)
	}
}

// countingStore counts how often it is asked what was learned.
type countingStore struct {
	*store.Store
	learned int
}

func (s *countingStore) Learned(blockBits int) (store.Learned, error) {
	s.learned++
	return s.Store.Learned(blockBits)
}

// The overview reads what was learned once: that is the most costly of what it asks for.
func TestOverviewAsksOnceWhatWasLearned(t *testing.T) {
	s := &countingStore{Store: openStore(t)}
	w := httptest.NewRecorder()
	web.Handler(s, web.Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK || s.learned != 1 {
		t.Errorf("%d; it asks %d times", w.Code, s.learned)
	}
}
