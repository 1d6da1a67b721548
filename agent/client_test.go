package agent

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"path/filepath"
	"testing"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/store"
)

// brokenStore fails after its first round, and an export in its midst.
type brokenStore struct{ *store.Store }

var errBroken = errors.New("the disk is gone")

func (s brokenStore) Rounds(from, to probe.Instant, newestFirst bool) iter.Seq2[*probe.Round, error] {
	return func(yield func(*probe.Round, error) bool) {
		for r, err := range s.Store.Rounds(from, to, newestFirst) {
			if yield(r, err) {
				yield(nil, errBroken)
			}
			return
		}
	}
}

func (s brokenStore) Export(from, to probe.Instant) iter.Seq2[*probe.Round, error] {
	return func(yield func(*probe.Round, error) bool) {
		n := 0
		for r, err := range s.Store.Export(from, to) {
			if n++; n == 30 {
				yield(nil, errBroken)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// TestAnswersThatBreakOff proves that half an answer is never taken for a whole one.
func TestAnswersThatBreakOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	if err := fillStore(path, fixture); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	local := &client{}
	local.local = web.Handler(brokenStore{s}, web.Options{Fail: func(err error) { local.fail = err }})
	var out bytes.Buffer
	if err := local.get(t.Context(), "export", nil, &out); !errors.Is(err, errBroken) {
		t.Errorf("in process: %v after %d bytes, want %v", err, out.Len(), errBroken)
	}

	l, err := web.ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() {
		served <- web.Serve(ctx, web.Handler(brokenStore{s}, web.Options{}), nil, web.Listener{Listener: l})
	}()
	live, err := dial(t.Context(), path)
	if err != nil || !live.running() {
		t.Fatalf("nobody answers: %v", err)
	}
	if err := live.get(t.Context(), "rounds", nil, &out); err == nil {
		t.Error("over the socket: no error")
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
