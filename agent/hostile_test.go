package agent

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"brownout/agent/web"
)

var connections = flag.Int("connections", 0, "how many connections at once to burden the API with, on a machine that is calm enough for no round to be missed; 10000 takes 11,000 descriptors")

// TestHostileClients burdens the API with connections that say nothing, or little, or too much. Meanwhile rounds are completed,
// and the socket answers; afterwards so does the API. With -connections, no round is missed either.
func TestHostileClients(t *testing.T) {
	a := startAgent(t)
	at := a.httpAddress()
	before := a.self().Rounds
	var wait sync.WaitGroup
	conns := make([]net.Conn, cmp.Or(*connections, 600))
	for worker := range 16 {
		wait.Go(func() {
			for i := worker; i < len(conns); i += 16 {
				conns[i] = burden(t, at, i)
			}
		})
	}
	wait.Wait()
	for a.self().Rounds < before+5 {
		<-a.changed
	}
	self := a.self()
	if own := self.Descriptors - len(conns); own > maxConnections+100 { // the connections' other ends are this process's too
		t.Errorf("strangers made it open %d descriptors", own)
	}
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	resp, err := http.Get("http://" + at + web.Prefix + "status")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("afterwards it answers %s", resp.Status)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if *connections > 0 && strings.Contains(a.log.String(), "could not start in time") {
		t.Errorf("a round was missed:\n%s", a.log.String())
	}
}

// burden opens a connection and leaves it in one of three ways.
func burden(t *testing.T, at string, i int) net.Conn {
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Error(err)
		return nil
	}
	switch i % 3 {
	case 1: // a slow header
		_, _ = io.WriteString(c, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: ") // it may have been closed
	case 2: // a header without end
		_, _ = c.Write(bytes.Repeat([]byte("X-Huge: "+strings.Repeat("x", 1000)+"\r\n"), 100))
	}
	return c
}

// TestHostileRequests asks for what is nobody's business and changes nothing by any method.
func TestHostileRequests(t *testing.T) {
	a := startAgent(t)
	at := a.httpAddress()
	for _, path := range []string{
		"/etc/passwd", "/../../etc/passwd", "/api/v1/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/outages/..%2f..%2f..%2fetc%2fpasswd",
		"//etc/passwd", "/api/v1/rounds/%00", "/api/v1/outages/" + strings.Repeat("a", 8000), "/debug/pprof/heap", "/-/quit", `/\..\..\etc\passwd`,
	} {
		if reply := raw(t, at, "GET "+path+" HTTP/1.0\r\n\r\n"); !strings.HasPrefix(reply, "HTTP/1.") || reply[9] == '2' || strings.Contains(reply, "root:") {
			t.Errorf("GET %s: %.200s", path, reply)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "BREW"} {
		for _, path := range []string{"/", "/api/v1/status", "/api/v1/outages", "/-/healthy", "/-/reload", "/-/quit", "/debug/pprof/"} {
			if method == "POST" && path == "/-/reload" {
				continue // who asks from this machine may
			}
			if reply := raw(t, at, method+" "+path+" HTTP/1.0\r\n\r\n"); !strings.HasPrefix(reply, "HTTP/1.") || reply[9] == '2' {
				t.Errorf("%s %s: %.200s", method, path, reply)
			}
		}
	}
	// From this machine itself a reload may be asked for: it reads what the configuration's owner wrote. What a proxy passes on
	// is a stranger's.
	if reply := raw(t, at, "POST /-/reload HTTP/1.0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"); !strings.HasPrefix(reply, "HTTP/1.0 403") {
		t.Errorf("a stranger's reload: %.200s", reply)
	}
	if r := a.self().Reloads; r != 0 {
		t.Errorf("strangers made it read its configuration %d times", r)
	}
}

// raw sends bytes and reads what comes back.
func raw(t *testing.T, at, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSecretsStayHidden looks for a channel's secrets in all that the program tells.
func TestSecretsStayHidden(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"url": "http://127.0.0.1:9/hook/s3cret-path", "key": "s3cret-key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := startAgent(t)
	a.replace("[http]", fmt.Sprintf(`
[[notify]]
type = "webhook"
url_file = %q
secret_file = %q
[[notify]]
type = "alertmanager"
url = "http://user:s3cret-password@127.0.0.1:9/s3cret-path"
[[notify]]
type = "shoutrrr"
url = "generic+http://127.0.0.1:9/s3cret-path"
[log]
level = "debug"
[http]`, filepath.Join(dir, "url"), filepath.Join(dir, "key")))
	if err := a.r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for a.self().Rounds == 0 {
		<-a.changed
	}
	commitTest(t, a)
	a.says("a notification failed and will be tried again")
	told := map[string]string{}
	for _, path := range []string{"status", "outages", "rounds", "changes", "export", "blocks"} {
		_, told[path] = a.ask(web.Prefix + path)
	}
	for _, path := range []string{"/debug/self", "/metrics", "/", "/debug/pprof/cmdline"} {
		_, told[path] = a.ask(path)
	}
	a.mu.Lock()
	config := writeConfig(t, a.text)
	told["log"] = a.log.String()
	a.mu.Unlock()
	for _, command := range []string{"config show", "config check", "notify test"} {
		_, stdout, stderr := runIn(t, append(strings.Fields(command), "--config", config)...)
		told[command] = stdout + stderr
	}
	for what, text := range told {
		if text == "" || strings.Contains(text, "s3cret") {
			t.Errorf("%s tells a secret, or nothing:\n%s", what, text)
		}
	}
}
