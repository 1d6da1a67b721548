package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"brownout/store"
)

// TestFullDiskIsExplained: on a full disk the next step is to make room, whatever a command would advise otherwise, and whether
// it failed by itself or the agent did.
func TestFullDiskIsExplained(t *testing.T) {
	full := os.WriteFile("/dev/full", []byte("x"), 0)
	told := httptest.NewRecorder()
	serveCare(told, httptest.NewRequest("POST", carePrefix+"compact", nil), &careTask{
		run: func(*store.Store, url.Values, func(done, total int)) (any, error) { return nil, full },
	}, nil, slog.New(slog.DiscardHandler))
	_, byAgent := (&careClient{}).await(told.Body)
	for _, err := range []error{
		full,
		hint(fmt.Errorf("back up s.db to b.db: %w", full), "name a file that does not exist"),
		hint(full, "nothing was imported; the interchange format is JSON Lines"),
		hintUnlessHinted(byAgent, "the store is as it was; `brownout store verify` tells whether it is damaged"),
	} {
		var said bytes.Buffer
		code := talk{&said}.failure(err)
		if want := "no space left on device\nbrownout: hint: free some space on that disk"; code != exitFailure || !strings.Contains(said.String(), want) {
			t.Errorf("exit code %d, %q", code, said.String())
		}
	}
}

// TestDryRunIsLoggedAsOne: the log does not say of what would be dropped that it was.
func TestDryRunIsLoggedAsOne(t *testing.T) {
	for query, dry := range map[string]bool{"": false, "?dry=1": true} {
		var log bytes.Buffer
		serveCare(httptest.NewRecorder(), httptest.NewRequest("POST", carePrefix+"prune"+query, nil), &careTask{
			run: func(*store.Store, url.Values, func(done, total int)) (any, error) {
				return store.Pruned{Rounds: 5}, nil
			},
		}, nil, slog.New(slog.NewTextHandler(&log, nil)))
		if strings.Contains(log.String(), "dry_run=true") != dry {
			t.Errorf("%q: %q", query, log.String())
		}
	}
}
