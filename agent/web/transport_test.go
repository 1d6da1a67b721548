package web_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

func request(h http.Handler, method, path string, head map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for name, value := range head {
		r.Header.Set(name, value)
	}
	if remote := head["Remote"]; remote != "" {
		r.RemoteAddr = remote
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestAnswersAreTaggedAndCompressed asks for the same thing in every way: the content is one.
func TestAnswersAreTaggedAndCompressed(t *testing.T) {
	h := web.Handler(openStore(t), liveOptions())
	for _, path := range []string{"/", "/api/v1/status", "/api/v1/export", "/api/v1/series?since=2026-03-01", "/assets/page.js"} {
		plain := request(h, "GET", path, nil)
		zipped := request(h, "GET", path, map[string]string{"Accept-Encoding": "br;q=1, gzip"})
		refused := request(h, "GET", path, map[string]string{"Accept-Encoding": "gzip;q=0"})
		in, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		text, err := io.ReadAll(in)
		if err != nil || string(text) != plain.Body.String() || refused.Body.String() != plain.Body.String() || len(text) < 1000 {
			t.Errorf("%s: %d bytes plain, %d unzipped, %d where gzip is refused, %v", path, plain.Body.Len(), len(text), refused.Body.Len(), err)
		}
		tag := plain.Header().Get("ETag")
		if tag == "" || zipped.Header().Get("ETag") != tag || zipped.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: ETag %s and %s", path, tag, zipped.Header().Get("ETag"))
		}
		for match, want := range map[string]int{tag: 304, `"x", ` + strings.TrimPrefix(tag, "W/"): 304, "*": 304, `"x"`: 200} {
			if w := request(h, "GET", path, map[string]string{"If-None-Match": match}); w.Code != want || w.Code == 304 && w.Body.Len() > 0 {
				t.Errorf("%s, If-None-Match %s: %d, want %d", path, match, w.Code, want)
			}
		}
	}
}

// TestEveryAnswerIsGuarded looks at the headers of everything that is answered, problems included.
func TestEveryAnswerIsGuarded(t *testing.T) {
	h := measured(t, openStore(t))
	for _, path := range []string{"/", "/outages", "/api/v1/status", "/api/v1/nothing", "/metrics", "/-/healthy", "/figures/map.svg", "/assets/style.css", "/" + strings.Repeat("x", 5000)} {
		head := request(h, "GET", path, nil).Header()
		if csp := head.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") ||
			!strings.Contains(csp, "frame-ancestors 'none'") || head.Get("X-Content-Type-Options") != "nosniff" || head.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%.40s: %v", path, head)
		}
	}
	if w := request(h, "GET", "/?"+strings.Repeat("x", 5000), nil); w.Code != http.StatusRequestURITooLong {
		t.Errorf("a long address: %d", w.Code)
	}
	page := body(t, h, "/") + body(t, h, "/about") + body(t, h, "/api")
	for _, forbidden := range []string{"<script>", " onclick", "style=\"", "javascript:", "src=\"http", os.TempDir()} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the pages hold %q", forbidden)
		}
	}
}

// TestPageIsLight counts what the first page loads, uncompressed.
func TestPageIsLight(t *testing.T) {
	s, now := worldStore(t, 3)
	h := web.Handler(s, web.Options{Now: now.Time})
	page := body(t, h, "/")
	size := len(page)
	for _, name := range []string{"style.css", "uplot.js", "page.js", "icon.svg"} {
		if !strings.Contains(page, "/assets/"+name) {
			t.Errorf("the page does not load %s", name)
		}
		size += len(body(t, h, "/assets/"+name))
	}
	if size > 150_000 {
		t.Errorf("the page is %d bytes in all, want at most 150,000", size)
	}
	t.Logf("%d bytes", size)
}

// TestReload asks for one from here, from elsewhere, through a proxy, and from a page of another site.
func TestReload(t *testing.T) {
	asked, wrong := 0, error(nil)
	o := liveOptions()
	o.Reload = func(context.Context) error { asked++; return wrong }
	s := openStore(t)
	h := web.Handler(s, o)
	o.Authenticated = func() bool { return true }
	authenticated := web.Handler(s, o)
	for i, tt := range []struct {
		h      http.Handler
		method string
		head   map[string]string
		want   int
	}{
		{h, "POST", map[string]string{"Remote": "127.0.0.1:5"}, 200},
		{h, "POST", map[string]string{"Remote": "[::1]:5"}, 200},
		{h, "POST", map[string]string{"Remote": "@"}, 200},
		{h, "POST", map[string]string{"Remote": "192.0.2.1:5"}, 403},
		{h, "POST", map[string]string{"Remote": "127.0.0.1:5", "X-Forwarded-For": "192.0.2.1"}, 403},
		{h, "POST", map[string]string{"Remote": "127.0.0.1:5", "Sec-Fetch-Site": "cross-site"}, 403},
		{h, "POST", map[string]string{"Remote": "127.0.0.1:5", "Origin": "https://elsewhere.example"}, 403},
		{authenticated, "POST", map[string]string{"Remote": "192.0.2.1:5"}, 200},
		{h, "GET", map[string]string{"Remote": "127.0.0.1:5"}, 405},
	} {
		before := asked
		w := request(tt.h, tt.method, "/-/reload", tt.head)
		if w.Code != tt.want || (asked > before) != (tt.want == 200) {
			t.Errorf("%d: %d %s, want %d; reloaded: %v", i, w.Code, w.Body, tt.want, asked > before)
		}
	}
	wrong = errors.New("open /etc/secret: no")
	if w := request(h, "POST", "/-/reload", map[string]string{"Remote": "127.0.0.1:5"}); w.Code != 422 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("a wrong configuration: %d %s", w.Code, w.Body)
	}
	if w := request(web.Handler(s, web.Options{}), "POST", "/-/reload", map[string]string{"Remote": "127.0.0.1:5"}); w.Code != 501 {
		t.Errorf("nothing to reload: %d", w.Code)
	}
}

// TestWebConfig asks a listener with a password, by exporter-toolkit's file.
func TestWebConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("basic_auth_users:\n  reader: "+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(ctx, web.Handler(openStore(t), web.Options{}), nil, web.Listener{Listener: l, WebConfig: file})
	}()
	for user, want := range map[string]int{"": 401, "reader:wrong@": 401, "reader:secret@": 200} {
		resp, err := http.Get("http://" + user + l.Addr().String() + "/api/v1/status")
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v %v, want %d", user, resp, err, want)
			continue
		}
		resp.Body.Close()
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestEvidence unpacks a bundle: every file has the sum that the manifest says, and the rounds can be judged again.
func TestEvidence(t *testing.T) {
	h := web.Handler(openStore(t), liveOptions())
	data := body(t, h, "/api/v1/outages/"+url.PathEscape(firstOutage(t, h))+"/evidence.zip")
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, z)
	var m struct {
		Files []struct{ Name, SHA256 string }
	}
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil || len(m.Files) != len(files)-1 || len(m.Files) != 5 {
		t.Fatalf("manifest of %d files, of %d: %v", len(m.Files), len(files), err)
	}
	for _, f := range m.Files {
		sum := sha256.Sum256(files[f.Name])
		if hex.EncodeToString(sum[:]) != f.SHA256 || len(files[f.Name]) == 0 {
			t.Errorf("%s is not what the manifest says", f.Name)
		}
	}
	var o outage.Outage
	if err := json.Unmarshal(files["outage.json"], &o); err != nil || o.ID != firstOutage(t, h) {
		t.Errorf("outage.json: %v", err)
	}
	if _, err := outage.Replay(outage.Config{}, probe.NewRoundReader(bytes.NewReader(files["rounds.jsonl"]))); err != nil {
		t.Errorf("rounds.jsonl: %v", err)
	}
}

func unpack(t *testing.T, z *zip.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[filepath.Base(f.Name)], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestStoreSpeaksForItself serves a store that somebody else measured: how it was is what its rounds say, and nothing of
// whoever serves it. An agent that runs speaks of itself, and old rounds still speak for themselves.
func TestStoreSpeaksForItself(t *testing.T) {
	s := openStore(t)
	viewer := web.About{Operator: "the viewer", Contact: "viewer@example.org", Vantage: "vm", Settings: []web.Setting{{Name: "Protocols", Value: "tcp/443"}}}
	live := liveOptions()
	live.About = viewer
	for name, o := range map[string]web.Options{"served": {Now: live.Now, About: viewer}, "running": live} {
		h := web.Handler(s, o)
		page := "/outages/" + url.PathEscape(firstOutage(t, h))
		data := body(t, h, "/api/v1"+page+"/evidence.zip")
		z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Vantages, Protocols []string
			Timeouts            []int64    `json:"timeouts_ms"`
			Spaces              [][]string `json:"spaces"`
			Rounds              map[string]int
			BlockBits           int `json:"block_bits"`
			Agent               *struct{ Operator string }
		}
		how := unpack(t, z)["configuration.json"]
		if err := json.Unmarshal(how, &c); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Vantages, []string{"test"}) || !slices.Equal(c.Protocols, []string{"icmp", "tcp/80"}) || !slices.Equal(c.Timeouts, []int64{3000}) ||
			len(c.Spaces) != 1 || len(c.Spaces[0]) != 2 || c.Rounds["round"] == 0 || c.BlockBits != 24 || (c.Agent != nil) != (name == "running") {
			t.Errorf("%s: the configuration is %s", name, how)
		}
		if got := body(t, h, page); !strings.Contains(got, "brownout at test, outage") {
			t.Errorf("%s: the outage is not cited as of its vantage", name)
		}
		if name == "running" {
			continue
		}
		for _, path := range []string{"/about", page, "/", "/figures/rate.svg", "/api/v1/outages?format=codf"} {
			got := body(t, h, path)
			for _, wrong := range []string{"viewer", "vm<", "at vm", "tcp/443"} {
				if strings.Contains(got, wrong) {
					t.Errorf("%s says %q of whoever serves it", path, wrong)
				}
			}
		}
		for path, right := range map[string]string{"/about": "198.18.0.0/25", "/": "from <strong>test</strong>", "/figures/rate.svg": "brownout at test"} {
			if got := body(t, h, path); !strings.Contains(got, right) {
				t.Errorf("%s does not say %q", path, right)
			}
		}
	}
}

// TestFeedWaitsForNobody tells listeners that never read: they are cut off, and a reader hears all the same.
func TestFeedWaitsForNobody(t *testing.T) {
	feed := &web.Feed{}
	o := liveOptions()
	o.Feed = feed
	server := httptest.NewServer(web.Handler(openStore(t), o))
	defer server.Close()
	defer feed.Close()
	resp, err := http.Get(server.URL + "/api/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	hello := make([]byte, 9)
	if _, err := io.ReadFull(resp.Body, hello); err != nil || !feed.Heard() {
		t.Fatalf("%q %v", hello, err)
	}
	big := strings.Repeat("x", 1<<20)
	began := time.Now()
	for range 200 {
		feed.Tell("change", big)
	}
	if feed.Heard() {
		t.Errorf("whoever does not read is still told, after %v", time.Since(began))
	}
}
