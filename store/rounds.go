package store

import (
	"errors"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// batchRounds is how many rounds one read transaction reads.
const batchRounds = 64

var errLost = errors.New("a round next to it is missing")

// Rounds yields the rounds that start from from on and before to, by start, the newest first if asked for. It reads them in
// short transactions: a round that is under way may be newer than those yielded before it. An error ends it.
func (s *Store) Rounds(from, to probe.Instant, newestFirst bool) iter.Seq2[*probe.Round, error] {
	return func(yield func(*probe.Round, error) bool) {
		for rec, err := range s.records(from, to, newestFirst) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(rec.round, nil) {
				return
			}
		}
	}
}

func (s *Store) records(from, to probe.Instant, newestFirst bool) iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		walk := roundWalk{from: from, to: to, newestFirst: newestFirst}
		for !walk.done {
			var batch []*record
			err := s.view(func(tx *bolt.Tx) (err error) {
				batch, err = s.batch(tx, &walk)
				return err
			})
			for _, rec := range batch {
				if !yield(rec, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, fmt.Errorf("read rounds: %w", err))
				return
			}
		}
	}
}

// roundWalk is how far an iteration has come.
type roundWalk struct {
	from, to    probe.Instant
	newestFirst bool
	started     bool
	last        key // that was yielded
	done        bool
}

// batch reads on, and checks that each round names the one before it: also across the bounds, so that a record that was
// lost there is missed too.
func (s *Store) batch(tx *bolt.Tx, w *roundWalk) ([]*record, error) {
	h, err := readHead(tx)
	if err != nil {
		return nil, err
	}
	if w.newestFirst {
		return s.batchDown(tx, w, &h)
	}
	return s.batchUp(tx, w, &h)
}

// batchUp starts one record before those it yields, to see that none is missing between them.
func (s *Store) batchUp(tx *bolt.Tx, w *roundWalk, h *head) (batch []*record, err error) {
	c := tx.Bucket(bucketRounds).Cursor()
	at := key{start: w.from}.bytes()
	if w.started {
		at = w.last.bytes()
	}
	k, v := floor(c, at)
	chain := chainUp{head: h}
	if k == nil {
		k, v = c.First()
		chain.first = true
	}
	for ; k != nil; k, v = c.Next() {
		rec, err := s.decode(k, v)
		if err != nil {
			return batch, err
		}
		if err := chain.next(rec); err != nil {
			return batch, err
		}
		id := keyOf(rec.round)
		switch {
		case id.start < w.from || w.started && id.compare(w.last) <= 0:
		case id.start >= w.to:
			w.done = true
			return batch, nil
		case len(batch) == batchRounds:
			return batch, nil
		default:
			batch = append(batch, rec)
			w.started, w.last = true, id
		}
	}
	w.done = true
	return batch, chain.end()
}

// chainUp checks the links of records met in order of time.
type chainUp struct {
	head  *head
	first bool // the next record must be the first of all
	any   bool
	last  key
}

func (c *chainUp) next(rec *record) error {
	k := keyOf(rec.round)
	first := !rec.linked && k == c.head.first
	if c.first && !first || !c.first && !first && !rec.linked || c.any && (!rec.linked || rec.before != c.last) {
		return damagedRecord(bucketRounds, k.bytes(), errLost)
	}
	c.first, c.any, c.last = false, true, k
	return nil
}

// end checks that the last record met was the last that there should be.
func (c *chainUp) end() error {
	if c.head.rounds > 0 && (!c.any || c.last != c.head.last) {
		return damagedRecord(bucketRounds, c.head.last.bytes(), errLost)
	}
	return nil
}

func (s *Store) batchDown(tx *bolt.Tx, w *roundWalk, h *head) (batch []*record, err error) {
	c := tx.Bucket(bucketRounds).Cursor()
	at := key{start: w.to}.bytes()
	if w.started {
		at = w.last.bytes()
	}
	k, v := c.Seek(at) // the record after those it yields
	want := h.last
	if k == nil {
		k, v = c.Last()
		if h.rounds > 0 && string(k) != string(want.bytes()) {
			return nil, damagedRecord(bucketRounds, want.bytes(), errLost)
		}
	} else if want, err = parseKey(k); err != nil {
		return nil, damagedRecord(bucketRounds, k, err)
	}
	for ; k != nil; k, v = c.Prev() {
		rec, err := s.decode(k, v)
		if err != nil {
			return batch, err
		}
		id := keyOf(rec.round)
		if id != want || !rec.linked && id != h.first {
			return batch, damagedRecord(bucketRounds, k, errLost)
		}
		switch {
		case id.start >= w.to || w.started && id.compare(w.last) >= 0:
		case id.start < w.from:
			w.done = true
			return batch, nil
		case len(batch) == batchRounds:
			return batch, nil
		default:
			batch = append(batch, rec)
			w.started, w.last = true, id
		}
		if !rec.linked {
			w.done = true
			return batch, nil
		}
		want = rec.before
	}
	w.done = true
	if h.rounds > 0 {
		return batch, damagedRecord(bucketRounds, want.bytes(), errLost)
	}
	return batch, nil
}

// Round is the round of that start and kind, or nil if there is none.
func (s *Store) Round(start probe.Instant, kind probe.Kind) (r *probe.Round, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		r = nil
		rec, err := s.lookup(tx.Bucket(bucketRounds), key{start, kind})
		if rec == nil && err == nil {
			return s.checkAbsent(tx, key{start, kind})
		}
		if rec != nil {
			r = rec.round
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read round: %w", err)
	}
	return r, nil
}

// checkAbsent sees by the chain that the round of k was not lost.
func (s *Store) checkAbsent(tx *bolt.Tx, k key) error {
	w := roundWalk{from: k.start, to: k.start.Add(1)}
	_, err := s.batch(tx, &w)
	return err
}

// Unsealed is the rounds that were still under way at the last commit, by start: after a kill they say how far they got.
func (s *Store) Unsealed() (open []*probe.Round, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		open = nil
		h, err := readHead(tx)
		for _, k := range h.open {
			rec, err := s.lookup(tx.Bucket(bucketRounds), k)
			if err == nil && rec == nil {
				err = damagedRecord(bucketRounds, k.bytes(), errMissing)
			}
			if err != nil {
				return err
			}
			open = append(open, rec.round)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read unsealed rounds: %w", err)
	}
	return open, nil
}
