package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"brownout/store"
)

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(filepath.Join(dir, "s.db"), store.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	path := filepath.Join(dir, "backup.db")
	if err := s.Backup(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(store.Commit{Cursor: 1}); err != nil {
		t.Errorf("the store is not of use after a backup: %v", err)
	}
	if err := s.Backup(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a backup over another gives %v, want %v", err, fs.ErrExist)
	}
	b, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Verify(nil); err != nil {
		t.Error(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("%v %v, want the store and the backup alone", names, err)
	}
}
