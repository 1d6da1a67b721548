package store

import (
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// batchRounds is how many rounds one read transaction reads at least, if there are so many; then it reads to the end of
// their pack.
const batchRounds = 64

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
		for e, err := range s.walk(from, to, newestFirst) {
			var rec *record
			if err == nil {
				rec, err = e.record()
			}
			if err != nil {
				yield(nil, fmt.Errorf("read rounds: %w", err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// walk yields the rounds without putting them together.
func (s *Store) walk(from, to probe.Instant, newestFirst bool) iter.Seq2[*entry, error] {
	return func(yield func(*entry, error) bool) {
		w := roundWalk{from: from, to: to, newestFirst: newestFirst}
		for !w.done {
			var batch []entry
			err := s.view(func(tx *bolt.Tx) (err error) {
				batch, err = s.batch(tx, &w)
				return err
			})
			for i := range batch {
				if !yield(&batch[i], nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
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
	last        entry // that was yielded
	done        bool
}

// full reports whether a batch holds enough to end after its last, which is e: at the edge of a pack, so that none is
// decoded twice.
func full(batch []entry, e *entry, down bool) bool {
	edge := 0
	if e.pack != nil && !down {
		edge = len(e.pack.keys) - 1
	}
	return len(batch) >= batchRounds && (e.pack == nil || e.i == edge)
}

// batch reads on, and checks that each round names the one before it: also across the bounds, so that a record that was
// lost there is missed too.
func (s *Store) batch(tx *bolt.Tx, w *roundWalk) ([]entry, error) {
	h, err := readHead(tx)
	if err != nil {
		return nil, err
	}
	if w.newestFirst {
		return s.batchDown(tx, w, &h)
	}
	return s.batchUp(tx, w, &h)
}

// batchUp begins one round before those it yields, to see that none is missing between them.
func (s *Store) batchUp(tx *bolt.Tx, w *roundWalk, h *head) (batch []entry, err error) {
	c := s.entries(tx)
	chain := chainUp{head: h}
	e, err := w.begin(c, &chain)
	for ; err == nil && e != nil; e, err = c.next() {
		if err := chain.next(e); err != nil {
			return batch, err
		}
		switch {
		case e.start < w.from:
		case e.start >= w.to:
			w.done = true
			return batch, nil
		default:
			batch = append(batch, *e)
			w.started, w.last = true, *e
			if full(batch, e, false) && e.key != h.last {
				return batch, nil
			}
		}
	}
	if err != nil {
		return batch, err
	}
	w.done = true
	return batch, chain.end()
}

// begin goes to where a walk up goes on.
func (w *roundWalk) begin(c *entryCursor, chain *chainUp) (*entry, error) {
	if w.started {
		chain.any, chain.last = true, w.last.key
		return c.after(w.last.key)
	}
	e, err := c.floor(key{start: w.from})
	if e == nil && err == nil {
		chain.first = true
		return c.first()
	}
	return e, err
}

// chainUp checks the links of records met in order of time.
type chainUp struct {
	head  *head
	first bool // the next record must be the first of all
	any   bool
	last  key
}

func (c *chainUp) next(e *entry) error {
	first := !e.linked && e.key == c.head.first
	pruned := first && c.any && c.last.compare(e.key) < 0 // since it was met
	if c.first && !first || !first && !e.linked || c.any && !pruned && (!e.linked || e.before != c.last) {
		return damagedRecord(bucketRounds, e.key.bytes(), errLost)
	}
	c.first, c.any, c.last = false, true, e.key
	return nil
}

// end checks that the last record met was the last that there should be.
func (c *chainUp) end() error {
	if c.head.rounds > 0 && (!c.any || c.last != c.head.last) {
		return damagedRecord(bucketRounds, c.head.last.bytes(), errLost)
	}
	return nil
}

func (s *Store) batchDown(tx *bolt.Tx, w *roundWalk, h *head) (batch []entry, err error) {
	c := s.entries(tx)
	e, want, err := w.beginDown(c, h)
	for ; err == nil && e != nil; e, err = c.prev() {
		if e.key != want || !e.linked && e.key != h.first {
			return batch, damagedRecord(bucketRounds, e.key.bytes(), errLost)
		}
		switch {
		case e.start >= w.to:
		case e.start < w.from:
			w.done = true
			return batch, nil
		default:
			batch = append(batch, *e)
			w.started, w.last = true, *e
		}
		if !e.linked {
			w.done = true
			return batch, nil
		}
		if full(batch, e, true) {
			return batch, nil
		}
		want = e.before
	}
	if err != nil {
		return batch, err
	}
	w.done = true
	if h.rounds > 0 && want.compare(h.first) >= 0 {
		return batch, damagedRecord(bucketRounds, want.bytes(), errLost)
	}
	return batch, nil
}

// beginDown goes to where a walk down goes on: at first to the round after those it yields. It must be the one of want.
func (w *roundWalk) beginDown(c *entryCursor, h *head) (e *entry, want key, err error) {
	if w.started {
		if w.last.before.compare(h.first) < 0 {
			return nil, w.last.before, nil // pruned since
		}
		e, err = c.floor(w.last.before)
		return e, w.last.before, err
	}
	if e, err = c.seek(key{start: w.to}); e != nil || err != nil {
		if e != nil {
			want = e.key
		}
		return e, want, err
	}
	e, err = c.last()
	return e, h.last, err
}

// Round is the round of that start and kind, or nil if there is none.
func (s *Store) Round(start probe.Instant, kind probe.Kind) (r *probe.Round, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		r = nil
		rec, err := s.lookup(tx, key{start, kind})
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
			rec, err := s.lookup(tx, k)
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
