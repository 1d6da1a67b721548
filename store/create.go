package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

const fileMode = 0o600

// create makes an empty store so that at any moment there is either none or a whole one at path, even after a power loss:
// aside in the same directory, synced, then given its name.
func create(path, version string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*") // its mode is 0600
	if err != nil {
		return explainCreate(path, dir, err)
	}
	aside := f.Name()
	defer os.Remove(aside)
	if err = fill(f, version); err == nil {
		err = nameNew(aside, path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("create store %s: %w", path, err)
	}
	return nil
}

func explainCreate(path, dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("create store %s: there is no directory %s: make it first: %w", path, dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("create store %s: directory %s is not writable by user %d: give it to that user, or name another file: %w", path, dir, os.Getuid(), err)
	}
	return fmt.Errorf("create store %s: %w", path, err)
}

// fill writes an empty store to f and closes it.
func fill(f *os.File, version string) error {
	name := f.Name()
	db, err := bolt.Open(name, fileMode, &bolt.Options{
		FreelistType: bolt.FreelistMapType, NoStatistics: true, Timeout: time.Second,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range bucketNames {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return writeMeta(&writeTx{Tx: tx}, meta{schema: schemaVersion, createdBy: version})
	})
	return errors.Join(err, db.Sync(), db.Close())
}

// nameNew gives the file its name unless one appeared there meanwhile, which is then as good.
func nameNew(aside, path string) error {
	err := os.Link(aside, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(aside, path) // a file system without links
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// OpenOrReplace opens the store at path for writing. If its file is damaged, and only then, the file is renamed, never
// overwritten, and a new store is made; setAside is then the damaged file's new name, which the user should be told.
func OpenOrReplace(path string, o Options) (s *Store, setAside string, err error) {
	if o.ReadOnly {
		return nil, "", fmt.Errorf("replace store %s: %w", path, ErrReadOnly)
	}
	path = resolve(path)
	s, err = Open(path, o)
	var damaged *DamagedError
	if !errors.As(err, &damaged) {
		return s, "", err
	}
	if setAside, err = moveAway(path, o.Timeout); err != nil {
		return nil, "", fmt.Errorf("%w; setting it aside fails: %w", damaged, err)
	}
	s, err = Open(path, o)
	return s, setAside, err
}

// moveAway renames a damaged file under its lock, so that no other process does so at the same time.
func moveAway(path string, timeout time.Duration) (string, error) {
	f, err := openLocked(path, Options{Timeout: timeout})
	if err != nil {
		return "", err
	}
	defer f.Close()
	base := path + ".damaged-" + time.Now().UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, errors.Join(os.Rename(path, name), syncDir(filepath.Dir(path)))
		}
		if n == 1000 {
			return "", fmt.Errorf("%s and 999 more exist already", base)
		}
	}
}
