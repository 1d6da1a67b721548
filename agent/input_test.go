package agent

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// fullDisk is a stream that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestFullDisk: an answer that could not be written is a failure, whatever its form.
func TestFullDisk(t *testing.T) {
	path := fixtureStore(t)
	for _, args := range [][]string{{"outages"}, {"rounds"}, {"status"}, {"address", "198.18.0.3"}, {"outages", "--format", "json"}, {"export"}} {
		var talk bytes.Buffer
		code := Run(t.Context(), append(args, "--store", path), strings.NewReader(""), fullDisk{}, &talk)
		if code != exitFailure || strings.Count(talk.String(), "no space left") != 1 {
			t.Errorf("%q: exit code %d, %q", args, code, talk.String())
		}
	}
}

// TestInterruptedInput: who waits for rounds that do not come can be interrupted, and leaves nothing behind.
func TestInterruptedInput(t *testing.T) {
	rounds, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"replay"}, {"replay", "-"}, {"import", "--store"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			folder := t.TempDir()
			if args[0] == "import" {
				args = append(args, filepath.Join(folder, "s.db"))
			}
			in, to := io.Pipe()
			defer to.Close()
			ctx, cancel := context.WithCancel(t.Context())
			var out, talk bytes.Buffer
			code := make(chan int)
			go func() { code <- Run(ctx, args, in, &out, &talk) }()
			if _, err := to.Write(rounds[:len(rounds)/2]); err != nil {
				t.Fatal(err)
			}
			cancel()
			if got := <-code; got != exitFailure || !strings.Contains(talk.String(), "interrupted") || out.Len() > 0 {
				t.Errorf("exit code %d, %q, %q", got, out.String(), talk.String())
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestGzippedInput: rounds are read as they were packed, and what was cut off is no whole.
func TestGzippedInput(t *testing.T) {
	rounds, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(rounds); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rounds.jsonl.gz")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if want := runOK(t, "replay", fixture); !bytes.Equal(runOK(t, "replay", path), want) {
		t.Error("gzipped they are judged otherwise")
	}
	runOK(t, "import", "--store", filepath.Join(t.TempDir(), "s.db"), path)
	for _, n := range []int{2, 9, packed.Len() / 2, packed.Len() - 1} {
		var out, talk bytes.Buffer
		code := Run(t.Context(), []string{"replay"}, bytes.NewReader(packed.Bytes()[:n]), &out, &talk)
		if code != exitFailure || out.Len() > 0 || !strings.Contains(talk.String(), "unexpected E") && !strings.Contains(talk.String(), "unexpected end") {
			t.Errorf("%d bytes of it: %d, %q, %q", n, code, out.String(), talk.String())
		}
	}
}

// TestLinesOfOneStart: who writes a line for each vantage can have them judged; a store, which keeps one, refuses with the line.
func TestLinesOfOneStart(t *testing.T) {
	all, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(all), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"vantage":"test"`) })
	twice := strings.Join(slices.Insert(lines, i+1, strings.Replace(lines[i], `"vantage":"test"`, `"vantage":"other"`, 1)), "")
	var out, talk bytes.Buffer
	if code := Run(t.Context(), []string{"replay", "-"}, strings.NewReader(twice), &out, &talk); code != exitOK {
		t.Errorf("replay: %q", talk.String())
	}
	path := filepath.Join(t.TempDir(), "s.db")
	code := Run(t.Context(), []string{"import", "--store", path, "-"}, strings.NewReader(twice), &out, &talk)
	if want := fmt.Sprintf("line %d: a second round", i+2); code != exitFailure || !strings.Contains(talk.String(), want) {
		t.Errorf("import: %d %q, want %q", code, talk.String(), want)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("import left a store")
	}
}
