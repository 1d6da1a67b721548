package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// wantError checks an error's kind and what it says.
func wantError(t *testing.T, err, is error, says ...string) {
	t.Helper()
	if err == nil || is != nil && !errors.Is(err, is) {
		t.Errorf("got %v, want an error (%v) that says %q", err, is, says)
		return
	}
	for _, word := range says {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestOpenLocked(t *testing.T) {
	s := openTest(t)
	_, err := Open(s.Path(), Options{})
	wantError(t, err, ErrLocked, s.Path(), fmt.Sprintf("pid %d", os.Getpid()), "stop it")
	_, err = Open(s.Path(), Options{ReadOnly: true, Timeout: time.Millisecond})
	wantError(t, err, ErrLocked)
	if _, setAside, err := OpenOrReplace(s.Path(), Options{}); setAside != "" || !errors.Is(err, ErrLocked) {
		t.Errorf("a locked store was set aside as %q, %v", setAside, err)
	}
}

// A reader waits for the writer where it is told to.
func TestOpenWaits(t *testing.T) {
	s := openTest(t)
	opened := make(chan error)
	go func() {
		r, err := Open(s.Path(), Options{ReadOnly: true, Timeout: time.Minute})
		if err == nil {
			err = r.Close()
		}
		opened <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestOpenForeign(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"text":  []byte("# my notes\n"),
		"page":  bytes.Repeat([]byte("not pages "), 1000),
		"pages": bytes.Repeat([]byte{0}, 64<<10),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, setAside, err := OpenOrReplace(path, Options{})
		wantError(t, err, ErrForeign, path, "another file")
		if left, _ := os.ReadFile(path); setAside != "" || !bytes.Equal(left, content) {
			t.Errorf("%s was touched", name)
		}
	}
	path := filepath.Join(dir, "bolt")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("meta"))
		if err == nil {
			err = b.Put([]byte("store"), []byte("of another program"))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{})
	wantError(t, err, ErrForeign, path, "bbolt file of another program")
	_, err = Open(dir, Options{ReadOnly: true})
	wantError(t, err, ErrForeign, "no regular file")
}

func TestOpenNewer(t *testing.T) {
	s := openTest(t)
	err := s.db.Update(func(tx *bolt.Tx) error { return writeMeta(&writeTx{Tx: tx}, meta{schema: 7, createdBy: "v9.1"}) })
	if err != nil {
		t.Fatal(err)
	}
	closeVerified(t, s)
	_, setAside, err := OpenOrReplace(s.Path(), Options{})
	var newer *SchemaError
	if !errors.As(err, &newer) || newer.Found != 7 || newer.Supported != schemaVersion || setAside != "" {
		t.Fatalf("%v, set aside as %q", err, setAside)
	}
	wantError(t, err, nil, "version 7", "v9.1", fmt.Sprintf("up to %d", schemaVersion), "newer brownout")
}

func TestCreateFails(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "absent", "store.db"), Options{})
	wantError(t, err, fs.ErrNotExist, "no directory")
	_, err = Open(filepath.Join(t.TempDir(), "store.db"), Options{ReadOnly: true})
	wantError(t, err, fs.ErrNotExist, "does not exist yet", "brownout run")
}

// Creation leaves the store, private to its owner, and nothing else.
func TestCreate(t *testing.T) {
	s := openTest(t)
	entries, err := os.ReadDir(filepath.Dir(s.Path()))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	info, err := os.Stat(s.Path())
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 256<<10 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestDamagedIsSetAside(t *testing.T) {
	s := openTest(t)
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 1)}})
	closeVerified(t, s)
	whole, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	var asides []string
	for range 3 { // in one second too, none is overwritten
		if err := os.WriteFile(s.Path(), whole[:len(whole)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(s.Path(), Options{})
		var damaged *DamagedError
		if !errors.As(err, &damaged) {
			t.Fatal(err)
		}
		wantError(t, err, nil, s.Path(), "cut off", "backup")
		fresh, setAside, err := OpenOrReplace(s.Path(), Options{})
		if err != nil || !strings.HasPrefix(setAside, s.Path()+".damaged-20") {
			t.Fatalf("set aside as %q, %v", setAside, err)
		}
		if st, err := fresh.Stats(); err != nil || st.Rounds != 0 {
			t.Errorf("the new store has %+v, %v", st, err)
		}
		closeVerified(t, fresh)
		asides = append(asides, setAside)
	}
	for _, name := range asides {
		if kept, err := os.ReadFile(name); err != nil || !bytes.Equal(kept, whole[:len(whole)/2]) {
			t.Errorf("%s is not what was damaged: %v", name, err)
		}
	}
}

// The newer meta page is lost, as by a torn write: the store is there as of the commit before, and says so.
func TestTornMeta(t *testing.T) {
	s := openTest(t)
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 1)}})
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 2)}})
	closeVerified(t, s)
	b, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	pages, err := inspectPages(bytes.NewReader(b), int64(len(b)), true)
	if err != nil {
		t.Fatal(err)
	}
	b[int(pages.meta.writes%2)*pages.meta.pageSize+pageHeader+50] ^= 1
	if err := os.WriteFile(s.Path(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	torn, err := Open(s.Path(), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(collect(t, torn, 0, 1<<60, false)); n != 1 || !strings.Contains(log.String(), "meta pages") {
		t.Errorf("%d rounds; log: %s", n, &log)
	}
	wantError(t, torn.Verify(nil), nil, "meta page")
	mustCommit(t, torn, Commit{Sealed: []*probe.Round{somePopulation(t, 2)}})
	closeVerified(t, torn)
}
