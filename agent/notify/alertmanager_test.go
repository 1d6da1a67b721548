package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brownout/agent/testkit"
	"brownout/probe"
	"brownout/probe/outage"
)

// TestRealAlertmanager sends what an outage makes to Debian's Alertmanager: it takes it, groups it by block, tells a receiver
// of its own, and resolves it.
func TestRealAlertmanager(t *testing.T) {
	told := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- groupIn(t, r) }))
	defer hook.Close()
	a := Alertmanager(startAlertmanager(t, hook.URL), "fra1", nil)
	s := newStory(t)
	s.now = probe.InstantOf(time.Now().Add(-12 * time.Minute)) // Alertmanager's clock is real
	s.begin(outage.Partial)
	s.wait(11)
	send(t, a, s, told, "space: BrownoutPartialOutage firing")
	s.become(outage.Total)
	s.wait(0)
	send(t, a, s, told, "space: BrownoutPartialOutage resolved, BrownoutTotalOutage firing")
	if err := a.(resender).Resend(t.Context()); err != nil {
		t.Error(err)
	}
	s.end()
	s.wait(0)
	send(t, a, s, told, "space: BrownoutTotalOutage resolved")
}

// send sends what a story told since, and waits for what Alertmanager tells then.
func send(t *testing.T, a Sender, s *story, told <-chan string, want string) {
	t.Helper()
	for _, n := range s.told {
		(&Templates{}).render(n)
		if err := a.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	s.told = nil
	deadline := time.After(time.Minute)
	for {
		select {
		case got := <-told:
			if got == want {
				return
			}
			t.Logf("it told %s", got)
		case <-deadline:
			t.Fatalf("it never told %s", want)
		}
	}
}

// groupIn is what Alertmanager tells a webhook: of one group, its block and its alerts.
func groupIn(t *testing.T, r *http.Request) string {
	var m struct {
		GroupLabels map[string]string `json:"groupLabels"`
		Alerts      []struct {
			Status              string `json:"status"`
			Labels, Annotations map[string]string
		} `json:"alerts"`
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		t.Error(err)
	}
	var words []string
	for _, a := range m.Alerts {
		words = append(words, a.Labels["alertname"]+" "+a.Status)
		if a.Labels["vantage"] != "fra1" || a.Annotations["summary"] == "" || a.Annotations["id"] == "" {
			t.Errorf("labels %v, annotations %v", a.Labels, a.Annotations)
		}
	}
	slices.Sort(words)
	return m.GroupLabels["block"] + ": " + strings.Join(words, ", ")
}

// startAlertmanager runs it until the test ends, and returns its URL.
func startAlertmanager(t *testing.T, hook string) string {
	t.Helper()
	program := testkit.Program(t, "prometheus-alertmanager")
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	text := fmt.Sprintf(`
route: {receiver: hook, group_by: [block], group_wait: 100ms, group_interval: 300ms, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]
`, hook)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := freePort(t)
	var out bytes.Buffer
	c := exec.Command(program, "--config.file="+config, "--storage.path="+dir, "--cluster.listen-address=", "--web.listen-address="+at)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, out.Bytes())
		}
	})
	await(t, "http://"+at+"/-/ready")
	return "http://" + at
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits until a server answers.
func await(t *testing.T, url string) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("%s is never well", url)
}
