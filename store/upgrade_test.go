package store

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

func gunzipped(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// saidBy is what the golden stores' makers wrote of them.
func saidBy(t *testing.T, s *Store) string {
	t.Helper()
	var text bytes.Buffer
	w := probe.NewRoundWriter(&text)
	for _, r := range collect(t, s, 0, 1<<60, false) {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	var all []any
	for _, block := range []string{outage.SpaceBlock, "198.18.2.0/24"} {
		summaries, err1 := s.Summaries(block, 0, 1<<60)
		said, err2 := s.Said(block)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		all = append(all, summaries, said)
	}
	outages, err1 := s.Outages()
	snapshot, cursor, err2 := s.Detector()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	e := json.NewEncoder(&text)
	for _, v := range append(all, outages, []any{snapshot, cursor}) {
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// Stores of every schema that was ever written are upgraded, and say what they said; the file as it was stays beside them.
func TestUpgrade(t *testing.T) {
	for _, name := range []string{"store.v1"} {
		path := filepath.Join(t.TempDir(), "store.db")
		whole := gunzipped(t, name+".db.gz")
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, Options{})
		var schema *SchemaError
		if !errors.As(err, &schema) || !strings.Contains(err.Error(), "store upgrade") {
			t.Errorf("%s opens without an upgrade: %v", name, err)
		}
		steps := 0
		u, err := Upgrade(path, Options{}, func(int, int) { steps++ })
		if err != nil || u.From >= u.To || u.To != schemaVersion || steps == 0 {
			t.Fatalf("%s: %+v, %v", name, u, err)
		}
		if kept, err := os.ReadFile(u.Backup); err != nil || !bytes.Equal(kept, whole) {
			t.Errorf("%s: the backup is not what it was: %v", name, err)
		}
		s := reopen(t, path)
		if got, want := saidBy(t, s), string(gunzipped(t, name+".jsonl.gz")); got != want {
			t.Errorf("%s: says\n%.3000s\nwant\n%.3000s", name, got, want)
		}
		if hours, err := s.Hours(outage.SpaceBlock, 0, 1<<60, false); err != nil || len(hours) == 0 {
			t.Errorf("%s: %d hours, %v", name, len(hours), err)
		}
		mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 500)}})
		closeVerified(t, s)
		if again, err := Upgrade(path, Options{}, nil); err != nil || again.From != again.To || again.Backup != "" {
			t.Errorf("%s: again: %+v, %v", name, again, err)
		}
	}
}
