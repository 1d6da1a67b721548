package store

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// linked makes a link to a file that does not exist yet, in another folder, by a relative name.
func linked(t *testing.T) (link, file string) {
	t.Helper()
	dir := t.TempDir()
	link, file = filepath.Join(dir, "state", "store.db"), filepath.Join(dir, "disk", "big.db")
	for _, path := range []string{link, file} {
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../disk/big.db", link); err != nil {
		t.Fatal(err)
	}
	return link, file
}

// mustBeLink checks that a link still is the only thing in its folder.
func mustBeLink(t *testing.T, link string) {
	t.Helper()
	names, err := os.ReadDir(filepath.Dir(link))
	if err != nil || len(names) != 1 || names[0].Type() != fs.ModeSymlink {
		t.Errorf("beside the link: %v, %v", names, err)
	}
}

// A store may be named by a link: it is made where that points to, and what takes its place takes it there.
func TestOpenByLink(t *testing.T) {
	link, file := linked(t)
	s := reopen(t, link)
	commitDays(t, s, 0, 200)
	if before, after, err := s.Compact(nil); err != nil || after >= before {
		t.Fatalf("%d bytes become %d, %v", before, after, err)
	}
	commitDays(t, s, 200, 1)
	closeVerified(t, s)
	mustBeLink(t, link)
	s = reopen(t, file)
	if n := len(collect(t, s, 0, 1<<60, false)); n != 201 {
		t.Errorf("the file has %d rounds", n)
	}
	closeVerified(t, s)

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, whole[:20<<10], 0o600); err != nil {
		t.Fatal(err)
	}
	s, setAside, err := OpenOrReplace(link, Options{})
	if err != nil || filepath.Dir(setAside) != filepath.Dir(file) {
		t.Fatalf("set aside as %q, %v", setAside, err)
	}
	closeVerified(t, s)
	mustBeLink(t, link)
}

func TestUpgradeByLink(t *testing.T) {
	link, file := linked(t)
	whole := gunzipped(t, "store.v1.db.gz")
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := Upgrade(link, Options{}, nil)
	if err != nil || filepath.Dir(u.Backup) != filepath.Dir(file) {
		t.Fatalf("%+v, %v", u, err)
	}
	if kept, err := os.ReadFile(u.Backup); err != nil || !bytes.Equal(kept, whole) {
		t.Errorf("the backup is not what it was: %v", err)
	}
	mustBeLink(t, link)
	closeVerified(t, reopen(t, file))
}

// A link to itself is an error and no loop.
func TestOpenByCircle(t *testing.T) {
	link := filepath.Join(t.TempDir(), "store.db")
	if err := os.Symlink("store.db", link); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(link, Options{}); err == nil {
		s.Close()
		t.Error("it opens")
	}
}
