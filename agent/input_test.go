package agent

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
