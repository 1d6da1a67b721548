package agent

import (
	"bytes"
	"strings"
	"testing"

	"brownout/store"
)

// TestCareOfALockedStore: what only reads runs beside readers, and the hint is one that helps with the command.
func TestCareOfALockedStore(t *testing.T) {
	path := fixtureStore(t)
	run := func(args ...string) (code int, said string) {
		var out bytes.Buffer
		code = Run(t.Context(), append(args, "--store", path), strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	reader, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if code, said := run("store", "prune", "--dry-run"); code != exitOK || !strings.HasPrefix(said, "would drop 0 rounds, ") {
		t.Errorf("prune --dry-run beside a reader: %d, %q", code, said)
	}
	for _, args := range [][]string{{"store", "prune"}, {"store", "compact"}} {
		if code, said := run(args...); code != exitFailure || !strings.Contains(said, "or another command, holds it") || strings.Contains(said, "socket") {
			t.Errorf("%q beside a reader: %d, %q", args, code, said)
		}
	}
	reader.Close()
	writer, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if code, said := run("store", "upgrade"); code != exitFailure || !strings.Contains(said, "hint: nothing was changed; an agent that runs upgraded its store") ||
		strings.Contains(said, "socket") {
		t.Errorf("upgrade beside an agent: %d, %q", code, said)
	}
}
