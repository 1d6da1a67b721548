package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"brownout/agent/notify"
	"brownout/agent/web"
	"brownout/store"
)

// running is an agent on loopback, whose configuration a test may change.
type running struct {
	t       *testing.T
	r       *runner
	path    string // of the store
	mu      sync.Mutex
	text    string // of the configuration
	log     bytes.Buffer
	changed chan struct{} // when the log grew
}

const runningConfig = `
[space]
targets = ["127.45.176.0/29"]
[probe]
protocols = ["tcp/9"]
round = "1s"
timeout = "200ms"
late_window = "200ms"
[vantage]
acknowledge_no_vantage = true
[http]
listen = "127.0.0.1:0"
`

// startAgent runs an agent until the test ends.
func startAgent(t *testing.T) *running {
	t.Helper()
	a := &running{t: t, path: filepath.Join(t.TempDir(), "run.db"), text: runningConfig, changed: make(chan struct{}, 1)}
	program := &app{stdout: io.Discard, stderr: a, talk: talk{a}}
	var err error
	if a.r, err = program.newRunner(a.read); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.r.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.r.stop()
	})
	a.says("msg=measuring") // from then on the socket answers
	return a
}

// Write is the agent's standard error.
func (a *running) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case a.changed <- struct{}{}:
	default:
	}
	return a.log.Write(b)
}

func (a *running) read() (*Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := writeConfig(a.t, a.text)
	cfg, err := LoadConfig(Sources{Path: path, Flags: []FlagValue{{"--store", "store.path", a.path}}})
	if err == nil {
		err = cfg.CheckRun()
	}
	return cfg, err
}

// replace changes the configuration.
func (a *running) replace(old, by string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.Contains(a.text, old) {
		a.t.Fatalf("%q is not in the configuration", old)
	}
	a.text = strings.Replace(a.text, old, by, 1)
}

// says waits until the log holds a text.
func (a *running) says(text string) {
	a.t.Helper()
	for deadline := time.After(time.Minute); ; {
		a.mu.Lock()
		log := a.log.String()
		a.mu.Unlock()
		if strings.Contains(log, text) {
			return
		}
		select {
		case <-a.changed:
		case <-deadline:
			a.t.Fatalf("the log never says %q:\n%s", text, log)
		}
	}
}

// ask asks over the socket.
func (a *running) ask(path string) (status int, body string) {
	a.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return web.DialSocket(ctx, a.path)
	}}}
	resp, err := client.Get("http://brownout" + path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestReload changes the configuration under a running agent: a bad one changes nothing, another space begins an epoch and
// keeps what was measured, and another channel is told from then on.
func TestReload(t *testing.T) {
	a := startAgent(t)
	a.says("msg=round")

	a.replace(`round = "1s"`, `round = "1 second"`)
	if err := a.r.Reload(t.Context()); !errors.As(err, new(*ConfigError)) {
		t.Errorf("a bad file: %v", err)
	}
	a.says("the configuration was not reloaded and stays as it was")
	a.replace(`round = "1 second"`, `round = "1s"`)

	a.replace("[space]", "[space]\nblock_bits = 28")
	if err := a.r.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "block_bits") {
		t.Errorf("other blocks: %v", err)
	}
	a.replace("\nblock_bits = 28", "")

	a.replace("127.45.176.0/29", "127.45.177.0/30")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	a.says("msg=reloaded measured_anew=true space=127.45.177.0/30")
	a.epochs("127.45.176.0/29", "127.45.177.0/30")

	told := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.Header.Get("X-Brownout-Id") }))
	defer hook.Close()
	a.replace("[http]", "[[notify]]\ntype = \"webhook\"\nurl = \""+hook.URL+"/s3cret-token\"\n[http]")
	if err := a.r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.says("measured_anew=false")
	commitTest(t, a)
	deadline := time.After(time.Minute)
	for id := ""; id != "x"; { // a busy machine tells first that rounds came late
		select {
		case id = <-told:
			if id != "x" && !strings.HasPrefix(id, notify.SubjectAgent+"-") {
				t.Errorf("told of %q", id)
			}
		case <-deadline:
			t.Fatal("nobody is told")
		}
	}
	for ok := regexp.MustCompile(`brownout_notifications_total{channel="webhook",result="ok"} [1-9]`); !ok.MatchString(a.metrics()); {
		select {
		case <-a.changed: // when a round is over, at the latest
		case <-deadline:
			t.Fatalf("it counts no notification:\n%s", a.metrics())
		}
	}
	if m := a.metrics(); !strings.Contains(m, "brownout_round_lateness_seconds ") || !strings.Contains(m, "go_goroutines ") {
		t.Errorf("it does not observe itself:\n%s", m)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if strings.Contains(a.log.String(), "s3cret") {
		t.Errorf("the log tells a secret:\n%s", a.log.String())
	}
}

// TestPortInUse: an address that somebody else listens on is an error with a next step; a running agent goes on as it was.
func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := startAgent(t)
	a.replace("127.0.0.1:0", l.Addr().String())
	for range 2 { // the second finds a loop that still listens
		if err := a.r.Reload(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("a reload: %v", err)
		}
	}
	a.says("the configuration was not reloaded and stays as it was")
	if status, _ := a.ask("/api/v1/status"); status != http.StatusOK {
		t.Errorf("status answers %d", status)
	}

	other := &running{t: t, path: filepath.Join(t.TempDir(), "other.db"), text: a.text, changed: make(chan struct{}, 1)}
	r, err := (&app{stdout: io.Discard, stderr: other, talk: talk{other}}).newRunner(other.read)
	var hinted *hintError
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &hinted) || !strings.Contains(hinted.hint, "http.listen") {
		t.Errorf("a start: %v", err)
	}
	if err == nil {
		r.stop()
	}
}

// TestReloadOntoOurOwnPort: the listener in force keeps no other from its port.
func TestReloadOntoOurOwnPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	l.Close()
	a := startAgent(t)
	a.replace("127.0.0.1:0", at)
	if err := a.r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	other, err := net.Listen("tcp", "127.0.0.3:"+port)
	if err != nil {
		t.Fatal(err)
	}
	a.replace(at, "0.0.0.0:"+port)
	if err := a.r.Reload(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("while another has the port: %v", err)
	}
	get(t, client, "http://"+at+"/-/healthy")
	other.Close()
	if err := a.r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	get(t, client, "http://127.0.0.3:"+port+"/-/healthy")
}

// TestReloadOfThePage changes who probes: the page says so, over the connection that there was. Another web configuration is
// refused, for it would take effect on no connection.
func TestReloadOfThePage(t *testing.T) {
	a := startAgent(t)
	var dials atomic.Int32
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}}
	defer client.CloseIdleConnections()
	at := "http://" + a.httpAddress() + "/about"
	if page := get(t, client, at); strings.Contains(page, "the Institute") {
		t.Errorf("it says already:\n%s", page)
	}
	a.replace("[http]", "[about]\noperator = \"the Institute\"\n[http]")
	if err := a.r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if page := get(t, client, at); !strings.Contains(page, "the Institute") || dials.Load() != 1 {
		t.Errorf("after %d connections it says\n%s", dials.Load(), page)
	}
	a.replace("[http]", "[http]\nweb_config_file = \""+writeConfig(t, "http_server_config: {http2: true}\n")+"\"")
	if err := a.r.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "that takes a restart") {
		t.Errorf("another web configuration: %v", err)
	}
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// commitTest puts something to be told into the store.
func commitTest(t *testing.T, a *running) {
	t.Helper()
	n := []byte(`{"id":"x","subject":"agent","transitions":[{"id":"x","what":"test"}]}`)
	if err := a.r.store.Commit(store.Commit{Notices: [][]byte{n}}); err != nil {
		t.Fatal(err)
	}
	a.r.self.wake()
}

// epochs waits until the last space was swept whole, and demands the spaces that the store knows.
func (a *running) epochs(want ...string) {
	a.t.Helper()
	for {
		epochs, err := a.r.store.Spaces()
		if err != nil {
			a.t.Fatal(err)
		}
		var got []string
		for _, e := range epochs {
			got = append(got, e.Space.String())
		}
		if slices.Equal(got, want) {
			return
		}
		if len(got) >= len(want) {
			a.t.Fatalf("the spaces are %q, want %q", got, want)
		}
		<-a.changed
	}
}

// TestSocketOnly shows profiles and what the agent observes of itself to the store's owner, and to nobody else.
func TestSocketOnly(t *testing.T) {
	a := startAgent(t)
	self := a.self()
	for ; self.Rounds == 0; self = a.self() {
		<-a.changed
	}
	if self.Goroutines == 0 || self.HeapBytes == 0 || self.ResidentBytes == 0 || self.FileBytes == 0 || self.FileBytes >= self.ResidentBytes || self.Descriptors == 0 || !self.ConfigInEffect {
		t.Errorf("it observes %+v", self)
	}
	if status, body := a.ask("/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %s", status, body)
	}
	at := a.httpAddress()
	for _, path := range []string{"/debug/self", "/debug/pprof/", "/api/../debug/pprof/heap", "//debug/self"} {
		resp, err := http.Get("http://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("anybody gets %s: %d", path, resp.StatusCode)
		}
	}
}

func (a *running) metrics() string {
	a.t.Helper()
	_, body := a.ask("/metrics")
	return body
}

// self is what the agent observes of itself.
func (a *running) self() (self Self) {
	a.t.Helper()
	status, body := a.ask("/debug/self")
	if err := json.Unmarshal([]byte(body), &self); err != nil || status != http.StatusOK {
		a.t.Fatalf("%d %s (%v)", status, body, err)
	}
	return self
}

// httpAddress is where the API is served.
func (a *running) httpAddress() string {
	a.says("msg=answering")
	a.mu.Lock()
	defer a.mu.Unlock()
	_, rest, _ := strings.Cut(a.log.String(), "msg=answering http=")
	at, _, _ := strings.Cut(rest, "\n")
	return at
}

// TestRunUpgradesTheStore: who upgrades an agent wants it to go on measuring.
func TestRunUpgradesTheStore(t *testing.T) {
	old, err := oldStore()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := openStore(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(nil); err != nil {
		t.Error(err)
	}
	kept, err := filepath.Glob(path + ".schema1-*")
	if err != nil || len(kept) != 1 || !strings.Contains(log.String(), kept[0]) {
		t.Fatalf("kept %q (%v); the log says %s", kept, err, &log)
	}
	if b, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(b, old) {
		t.Errorf("the file as it was is not kept: %v", err)
	}
}
