package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"brownout/probe"
	"brownout/probe/outage"
)

// importBatch is how many rounds one transaction of an import writes.
const importBatch = packRounds

// Import makes a store at path of the rounds of a source, and judges them as they come, as the agent that recorded them did:
// the whole store, or none. There must be no file yet. It ends where the last round says up to when it was judged, or where
// the rounds end. Progress, if not nil, is told of rounds imported.
func Import(path string, o Options, in outage.RoundSource, cfg outage.Config, progress func(rounds int)) (Stats, error) {
	aside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".import")
	turn, err := takeTurn(aside+"-lock", path)
	if err != nil {
		return Stats{}, fmt.Errorf("import to %s: %w", path, err)
	}
	defer turn.end()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return Stats{}, fmt.Errorf("import to %s: %w", path, cmpErr(err, fs.ErrExist))
	}
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an import that was killed
		return Stats{}, fmt.Errorf("import to %s: %w", path, err)
	}
	o.ReadOnly = false
	s, err := Open(aside, o)
	if err != nil {
		return Stats{}, err
	}
	defer os.Remove(aside)
	s.db.NoSync = true // it is synced before it gets its name
	i := importer{store: s, detector: outage.New(cfg), progress: progress}
	err = i.run(in)
	st, errStats := s.Stats()
	if err = errors.Join(err, errStats, s.db.Sync(), s.Close()); err == nil {
		err = os.Link(aside, path) // which fails where there is a file
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return Stats{}, fmt.Errorf("import to %s: %w", path, err)
	}
	st.Path = path
	return st, nil
}

// turn is held by the one import to a name that is under way. Its file outlives a kill, but its lock does not.
type turn struct{ file *os.File }

// takeTurn locks a file of that name, which it makes.
func takeTurn(name, path string) (*turn, error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
		if err != nil {
			return nil, explainCreate(path, filepath.Dir(path), err)
		}
		if err := lock(f, true, 0); err != nil {
			by := holder(f)
			f.Close()
			if errors.Is(err, ErrLocked) {
				err = fmt.Errorf("%w: another import%s is making that store: wait for it to end, or name another store", ErrLocked, by)
			}
			return nil, err
		}
		if locked, err := f.Stat(); err == nil {
			if named, err := os.Stat(name); err == nil && os.SameFile(locked, named) {
				return &turn{f}, nil
			}
		}
		f.Close() // the import that had it ended between the two
	}
}

// end removes the file while it is locked, so that nobody else's is removed.
func (t *turn) end() {
	os.Remove(t.file.Name())
	t.file.Close()
}

type importer struct {
	store    *Store
	detector *outage.Detector
	progress func(rounds int)
	rounds   int
	batch    Commit
	until    probe.Instant // of the last round
	seen     probe.Instant // the end of what was observed
}

func (i *importer) run(in outage.RoundSource) error {
	for {
		r, err := in.Next()
		if errors.Is(err, io.EOF) {
			return i.end()
		}
		if err == nil {
			err = i.take(r)
		}
		if err != nil {
			return err
		}
	}
}

// take judges a round, and commits when enough have come.
func (i *importer) take(r *probe.Round) error {
	i.batch.Findings.Add(i.detector.Advance(r.Start))
	if err := i.detector.Put(r); err != nil {
		return fmt.Errorf("judge the round of %v: %w", r.Start, err)
	}
	i.until, i.seen = r.Until, max(i.seen, r.Last()+1)
	kept := *r
	kept.Until = 0
	i.batch.Sealed = append(i.batch.Sealed, &kept)
	if i.rounds++; len(i.batch.Sealed) < importBatch {
		return nil
	}
	return i.commit()
}

func (i *importer) commit() error {
	i.batch.Cursor = i.detector.Cursor()
	err := i.store.Commit(i.batch)
	i.batch = Commit{}
	if err == nil && i.progress != nil {
		i.progress(i.rounds)
	}
	return err
}

// end judges what is left, and keeps what was learned.
func (i *importer) end() error {
	if i.rounds == 0 {
		return errors.New("there are no rounds")
	}
	end := i.until
	if end == 0 {
		end = i.seen
	}
	i.batch.Findings.Add(i.detector.Advance(end))
	snapshot, err := i.detector.MarshalBinary()
	if err != nil {
		return err
	}
	i.batch.Detector = snapshot
	return i.commit()
}
