package web_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"brownout/agent/testkit"
	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// needs skips a test where a program is missing; CI installs it.
// measured is a handler with the metrics of an agent that measured what a store holds.
func measured(t *testing.T, s *store.Store) http.Handler {
	t.Helper()
	m := web.NewMetrics(web.MetricsConfig{Version: "test", Protocols: []probe.Protocol{probe.ICMP, probe.TCP(80), probe.DNS},
		Deliveries: func() []web.Deliveries { return []web.Deliveries{{Channel: "webhook", OK: 1}} }, StoreSize: func() int64 { return 4096 }})
	for r, err := range s.Rounds(0, outage.EndOfTime, false) {
		if err != nil {
			t.Fatal(err)
		}
		m.Sealed(r)
	}
	all, err := s.Outages()
	if err != nil {
		t.Fatal(err)
	}
	m.Found(outage.Findings{Outages: all})
	o := liveOptions()
	o.Metrics = m
	return web.Handler(s, o)
}

// TestMetrics reads the numbers, and has promtool judge their form.
func TestMetrics(t *testing.T) {
	text := body(t, measured(t, openStore(t)), "/metrics")
	for _, want := range []string{
		`brownout_block_state{block="space",state="partial"} 1`, `brownout_block_state{block="space",state="up"} 0`,
		`brownout_block_state{block="198.18.1.0/24",state="total"} 1`, `brownout_outages_total{kind="total"} 1`, `brownout_outages_total{kind="partial"} 1`,
		`brownout_probes_total{outcome="unsent",protocol="dns"} 0`, `brownout_probes_total{outcome="reply",protocol="icmp"} `,
		`brownout_probe_rtt_seconds_bucket{protocol="tcp/80",le="0.25"} `, `brownout_vantage_up 1`, `brownout_store_size_bytes 4096`,
		`brownout_round_duration_seconds 660`, `brownout_round_last_completed_timestamp_seconds 1.77234696e+09`, `brownout_rounds_total{kind="round"} 36`,
		`brownout_notifications_total{channel="webhook",result="failed"} 0`, `brownout_response_ratio{block="space",protocol="icmp"} `,
		`brownout_expected_responders{block="space"} 21`, `brownout_build_info{`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	c := exec.Command(testkit.Program(t, "promtool"), "check", "metrics")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestRatioIsOfAKnownRound: who did not answer while we were cut off is missing in no protocol's ratio.
func TestRatioIsOfAKnownRound(t *testing.T) {
	s := openStore(t)
	ratios := func() (out []string) {
		for line := range strings.Lines(body(t, measured(t, s), "/metrics")) {
			if strings.HasPrefix(line, "brownout_response_ratio{") && !strings.Contains(line, `protocol="all"`) {
				name, value, _ := strings.Cut(line, "} ")
				ratio, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, fmt.Sprintf("%s} %.2f\n", name, ratio)) // a little more is expected with every round
			}
		}
		return out
	}
	before := ratios()
	var bad *probe.Round
	for r, err := range s.Rounds(0, outage.EndOfTime, true) {
		if err != nil {
			t.Fatal(err)
		}
		if bad = r; r.Kind == probe.Full {
			break
		}
	}
	later := int64(bad.End-bad.Start) + 1000
	bad.Start, bad.End, bad.VantageOK = bad.Start.Add(later), bad.End.Add(later), false
	for i := range bad.Passes {
		bad.Passes[i].Answers = nil
	}
	learned, err := s.Learned(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := learned.Detector.Put(bad); err != nil {
		t.Fatal(err)
	}
	commit(t, s, learned.Detector, &store.Commit{Findings: learned.Detector.Advance(bad.End.Add(60_000)), Sealed: []*probe.Round{bad}})
	if after := ratios(); len(before) == 0 || !slices.Equal(after, before) {
		t.Errorf("the ratios were\n%sand are, after a round in which we were cut off,\n%s", strings.Join(before, ""), strings.Join(after, ""))
	}
}

// TestAlertRules runs the rules' own tests.
func TestAlertRules(t *testing.T) {
	c := exec.Command(testkit.Program(t, "promtool"), "test", "rules", "../deploy/prometheus-rules_test.yml")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", c, err, out)
	}
}

// TestPrometheus lets a real Prometheus scrape us, with our rules, and asks it what every panel of the dashboard asks.
func TestPrometheus(t *testing.T) {
	p := startPrometheus(t, httptest.NewServer(measured(t, openStore(t))))
	p.await(t, `up{job="brownout"} == 1`)
	p.await(t, `count_over_time(brownout_build_info[1m]) >= 3`) // enough for rates
	p.await(t, `ALERTS{alertname="BrownoutPartialOutage",alertstate="firing",block="space"}`)
	for _, expr := range dashboardQueries(t) {
		replaced := strings.NewReplacer("$instance", ".+", "$block", ".+", "$__rate_interval", "1m", "$__range", "1m").Replace(expr)
		p.await(t, replaced) // a scrape that failed makes all series stale until the next
	}
}

type prometheus struct{ url string }

func startPrometheus(t *testing.T, target *httptest.Server) *prometheus {
	t.Helper()
	program := testkit.Program(t, "prometheus")
	t.Cleanup(target.Close)
	dir := t.TempDir()
	rules, err := filepath.Abs("../deploy/prometheus-rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n- job_name: brownout\n  static_configs: [{targets: [%q]}]\n",
		rules, target.Listener.Addr())
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := exec.Command(program, "--config.file="+path, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+addr)
	log, err := os.Create(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("prometheus said:\n%s", text)
		}
		log.Close()
	})
	return &prometheus{"http://" + addr}
}

// await asks again until there is an answer.
func (p *prometheus) await(t *testing.T, expr string) {
	t.Helper()
	ask := time.NewTicker(200 * time.Millisecond)
	defer ask.Stop()
	patience := time.After(time.Minute)
	for {
		n, err := p.query(expr)
		if err == nil && n > 0 {
			return
		}
		select {
		case <-ask.C:
		case <-patience:
			t.Fatalf("%s: %d series, %v, after a minute", expr, n, err)
		}
	}
}

// query is how many series an expression gives.
func (p *prometheus) query(expr string) (int, error) {
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var got struct {
		Error string
		Data  struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return 0, err
	}
	if got.Error != "" {
		return 0, fmt.Errorf("%s", got.Error)
	}
	return len(got.Data.Result), nil
}

// dashboardQueries are the expressions of every panel.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			out = append(out, target.Expr)
		}
	}
	if len(out) < 10 {
		t.Fatalf("the dashboard has %d queries", len(out))
	}
	return out
}
