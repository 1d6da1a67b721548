package agent

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHealthOfAStranger: whoever listens on the default port is our agent only if a configuration says so.
func TestHealthOfAStranger(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // 200, as many programs do
	defer stranger.Close()
	at := strings.TrimPrefix(stranger.URL, "http://")
	c, err := LoadConfig(Sources{Environ: []string{"STATE_DIRECTORY=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP.Listen = at // and still the default
	if err := askHealth(t.Context(), c, "/-/healthy"); err == nil {
		t.Error("with no configuration, a stranger passes for the agent")
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte("[store]\npath = \"s.db\"\n[http]\nlisten = \""+at+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = LoadConfig(Sources{Path: path}); err != nil {
		t.Fatal(err)
	}
	if err := askHealth(t.Context(), c, "/-/healthy"); err != nil {
		t.Errorf("what a configuration names is not asked: %v", err)
	}
}
