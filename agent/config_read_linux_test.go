package agent

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestEndlessFiles: what a configuration names is not waited for where it never ends, and a pipe that is written to is a file.
func TestEndlessFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	const space = "[space]\ntargets = [\"198.18.0.0/24\"]\n"
	const silent, endless = "cannot be read: it is a pipe to which nobody writes", "cannot be read: it is longer than 64 MiB"
	for i, tt := range []struct{ text, want string }{
		{"[space]\ntargets = [\"@pipe\"]\n", silent},
		{"[space]\ntargets = [\"@/dev/zero\"]\n", endless},
		{space + "exclude = [\"@pipe\"]\n", silent},
		{space + "[[notify]]\ntype = \"webhook\"\nurl_file = \"pipe\"\n", silent},
		{space + "[[notify]]\ntype = \"webhook\"\nurl = \"http://127.0.0.1/\"\nsecret_file = \"/dev/zero\"\n", endless},
		{space + "[http]\nweb_config_file = \"pipe\"\n", "is no regular file"},
		{space + "[http]\nweb_config_file = \"/dev/zero\"\n", "is no regular file"},
	} {
		path := filepath.Join(dir, fmt.Sprintf("%d.toml", i))
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadConfig(Sources{Path: path}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	for path, want := range map[string]string{pipe: silent, "/dev/zero": endless} {
		if _, err := LoadConfig(Sources{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := writtenPipe(t, space); err != nil {
		t.Error(err)
	}
}

// writtenPipe loads a configuration from a pipe, as a shell's <(...) makes one.
func writtenPipe(t *testing.T, text string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	go func() {
		fmt.Fprint(w, text)
		w.Close()
	}()
	_, err = LoadConfig(Sources{Path: fmt.Sprintf("/dev/fd/%d", r.Fd())})
	return err
}

// TestInterruptedPipe: who waits for somebody to open a pipe can be interrupted.
func TestInterruptedPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out, talk bytes.Buffer
	code := make(chan int)
	go func() { code <- Run(ctx, []string{"replay", pipe}, strings.NewReader(""), &out, &talk) }()
	cancel()
	if got := <-code; got != exitFailure || !strings.Contains(talk.String(), "interrupted") {
		t.Errorf("exit code %d, %q", got, talk.String())
	}
	if w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil { // lets go of who still waits
		w.Close()
	}
}
