package store

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Upgraded is what became of a store.
type Upgraded struct {
	From, To int    // schema versions; equal: there was nothing to do
	Backup   string // the file as it was
}

// Upgrade brings the store at path to this program's schema. The file as it was is kept beside it, and the new one takes its
// place once it is whole: a kill or a power loss at any moment leaves the one or the other. Progress, if not nil, is told of
// records done and to be done.
func Upgrade(path string, o Options, progress func(done, total int)) (Upgraded, error) {
	o.ReadOnly, o.anySchema = false, true
	old, err := Open(path, o)
	if err != nil {
		return Upgraded{}, err
	}
	defer old.Close()
	u := Upgraded{From: old.meta.schema, To: schemaVersion}
	if u.From == u.To {
		return u, nil
	}
	if u.Backup, err = keepOld(old.path, u.From); err != nil {
		return u, fmt.Errorf("upgrade store %s: keep a backup: %w", path, err)
	}
	if err := old.rebuild(progress); err != nil {
		return u, fmt.Errorf("upgrade store %s: %w", path, errors.Join(err, os.Remove(u.Backup)))
	}
	return u, nil
}

// keepOld gives the file a second name, or copies it where the file system knows no links.
func keepOld(path string, schema int) (string, error) {
	name := fmt.Sprintf("%s.schema%d-%s", path, schema, time.Now().UTC().Format("20060102T150405Z"))
	if os.Link(path, name) == nil {
		return name, syncDir(filepath.Dir(path))
	}
	return name, WriteNew(name, func(to *os.File) error {
		from, err := os.Open(path)
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(to, from)
		return err
	})
}

// rebuild puts a store of this program's schema in the old one's place.
func (s *Store) rebuild(progress func(done, total int)) error {
	_, _, err := s.rewrite(progress, func(c *compaction) error {
		fresh := &Store{path: c.file.Name(), opt: s.opt, db: c.db, file: c.file, frames: s.frames, meta: s.meta, packAt: packRounds}
		return fresh.migrate()
	})
	return err
}

// migrate makes of a store of an older schema one of this program's.
func (s *Store) migrate() error {
	from := s.meta.schema
	s.meta.schema = schemaVersion
	err := s.update(func(tx *writeTx) error {
		for _, name := range bucketNames {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return writeMeta(tx, s.meta)
	})
	if err == nil && from < 2 {
		err = s.packAll()
	}
	if err == nil && from < 2 {
		err = s.update(sumUpAll)
	}
	return err
}

// packAll packs all rounds that stand alone, but for the last few.
func (s *Store) packAll() error {
	for last := (key{start: math.MinInt64}); ; {
		var run []key
		err := s.update(func(tx *writeTx) (err error) {
			if run, err = s.runFrom(tx.Tx, last); err != nil || len(run) < 2 {
				return err
			}
			return s.pack(tx, run)
		})
		if err != nil || len(run) < 2 {
			return err
		}
		last = run[len(run)-1]
	}
}

// runFrom is the next sealed rounds after a time that stand alone one after the other: a pack full of them, or fewer at the
// end or before one under way.
func (s *Store) runFrom(tx *bolt.Tx, after key) (run []key, err error) {
	h, err := readHead(tx)
	if err != nil {
		return nil, err
	}
	c := tx.Bucket(bucketRounds).Cursor()
	k, v := c.Seek(after.bytes())
	for total := 0; k != nil && len(run) < s.packAt && total < packBytes; k, v = c.Next() {
		id, value, err := openRound(k, v)
		if err != nil {
			return nil, err
		}
		if id.compare(after) <= 0 {
			continue
		}
		if isPack(value) || !sealedFlag(value) || slices.Contains(h.open, id) || id == h.last {
			break
		}
		run = append(run, id)
		total += len(v)
	}
	return run, nil
}

// sumUpAll works out all hours from the summaries.
func sumUpAll(tx *writeTx) error {
	h, err := readHead(tx.Tx)
	if err != nil {
		return err
	}
	all, err := readBlocks(tx.Tx, &h)
	if err != nil {
		return err
	}
	for _, bl := range all.list {
		if err := putHours(tx, bl, math.MinInt64/2, math.MaxInt64/2); err != nil {
			return fmt.Errorf("hours of %s: %w", bl.name, err)
		}
		bl.touched = true // their records have a new version
	}
	return all.write(tx, &h)
}
