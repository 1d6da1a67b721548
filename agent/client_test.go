package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
	path := fixtureStore(t)
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

// TestAnswersTakenAreThoseWritten: what a command is given by this process is what it would read of an agent's JSON.
func TestAnswersTakenAreThoseWritten(t *testing.T) {
	path := fixtureStore(t)
	c, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, test := range []struct {
		path, query string
		taken, read any
	}{
		{"status", "", new(web.Status), new(web.Status)},
		{"outages", "blocks=true", new([]outage.Outage), new([]outage.Outage)},
		{"changes", "", new([]outage.Change), new([]outage.Change)},
		{"rounds", "limit=0", new([]web.RoundInfo), new([]web.RoundInfo)},
		{"summaries", "by=hour", new([]web.Period), new([]web.Period)},
		{"addresses/198.18.0.3", "limit=0", new([]web.Observation), new([]web.Observation)},
	} {
		query, err := url.ParseQuery(test.query)
		if err != nil {
			t.Fatal(err)
		}
		w := &wanted{into: test.taken}
		var text bytes.Buffer
		err = errors.Join(c.get(t.Context(), test.path, query, w), c.get(t.Context(), test.path, query, &text))
		if err != nil {
			t.Fatal(err)
		}
		if !w.taken || w.Len() > 0 {
			t.Errorf("%s was written, not taken", test.path)
		}
		if err := json.Unmarshal(text.Bytes(), test.read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.read, test.taken, cmpopts.EquateEmpty(), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("%s (-written +taken):\n%s", test.path, diff)
		}
		if len(text.Bytes()) < 10 {
			t.Errorf("%s answers only %s", test.path, text.Bytes())
		}
	}
}

// What could not be opened is not called damaged, and is not to be moved away.
func TestHintsOfStores(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "s.db", Err: syscall.EACCES}
	for _, c := range []struct {
		err  error
		want string
	}{
		{explainStore(denied), "run as the file's owner"},
		{explainStore(fmt.Errorf("%w", store.ErrForeign)), "name the store by --store"},
		{explainStore(&store.DamagedError{Path: "s.db", Err: errors.New("page 3")}), "keep the file"},
		{errors.New("verify store s.db: record 3"), "keep the file"},
	} {
		var hinted *hintError
		if err := explainVerify(c.err); !errors.As(err, &hinted) || !strings.Contains(hinted.hint, c.want) {
			t.Errorf("%v: %#v, want %q", c.err, err, c.want)
		}
	}
}

// cancelling ends a context when something is written.
type cancelling struct {
	bytes.Buffer
	cancel func()
}

func (c *cancelling) Write(b []byte) (int, error) {
	c.cancel()
	return c.Buffer.Write(b)
}

// Who interrupts an export is told that it is not whole, and not to look for a fault of the machine.
func TestInterruptedExport(t *testing.T) {
	path := fixtureStore(t)
	for _, format := range []string{"jsonl", "csv", "parquet"} {
		ctx, cancel := context.WithCancel(t.Context())
		out, talk := &cancelling{cancel: cancel}, &bytes.Buffer{}
		if format != "csv" {
			cancel() // of so few rounds nothing is written before all have been read
		}
		code := Run(ctx, []string{"export", "--store", path, "--format", format}, strings.NewReader(""), out, talk)
		got := talk.String()
		if code != exitFailure || !strings.Contains(got, "interrupted: the answer is not whole") || strings.Contains(got, "doctor") || strings.Contains(got, "context") {
			t.Errorf("%s: exit %d after %d bytes, %s", format, code, out.Len(), got)
		}
	}
}

// A store may hold a name that an older version took: it does not move the cursor of who lists rounds.
func TestRoundsOfAWildVantage(t *testing.T) {
	var out bytes.Buffer
	(&app{stdout: &out}).drawRounds([]web.RoundInfo{{Vantage: "a\x1b[2J\u009b2Jb", VantageOK: true}})
	if got := out.String(); strings.ContainsAny(got, "\x1b\u009b") || !strings.Contains(got, "a?[2J?2Jb") {
		t.Errorf("%q", got)
	}
}

// An exit code of 1 would say that the space is partial.
func TestExitCodeOfAnAnswerThatCannotBeWritten(t *testing.T) {
	path := fixtureStore(t)
	var talk bytes.Buffer
	code := Run(t.Context(), []string{"status", "--exit-code", "--store", path}, strings.NewReader(""), fullDisk{}, &talk)
	if code != statusElse || !strings.Contains(talk.String(), "write the answer: ") {
		t.Errorf("exit %d, %s", code, talk.String())
	}
}

// An agent that is stuck has its socket still, and takes connections.
func TestExitCodeOfAStuckAgent(t *testing.T) {
	defer func(was time.Duration) { answerWait = was }(answerWait)
	answerWait = 100 * time.Millisecond
	path := fixtureStore(t)
	l, err := web.ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var talk bytes.Buffer
	code := Run(t.Context(), []string{"status", "--exit-code", "--store", path}, strings.NewReader(""), io.Discard, &talk)
	if code != statusElse || !strings.Contains(talk.String(), errStuck.Error()) {
		t.Errorf("exit %d, %s", code, talk.String())
	}
}
