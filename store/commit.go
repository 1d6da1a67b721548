package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// Commit is what is written in one transaction: all of it or nothing.
type Commit struct {
	Rounds   []*probe.Round // under way: the rounds so far, replacing those of the same start and kind
	Sealed   []*probe.Round // ended: final, late replies included
	Findings outage.Findings
	Detector []byte        // the detector's snapshot; nil: as before
	Cursor   probe.Instant // everything seen before this has been judged; 0: as before

	Notices     [][]byte // to be delivered by every channel, in order
	NoticeState []byte   // of whoever decides what is told; nil: as before
}

// Commit writes c. When it returns nil, c is on the disk and survives a power loss. When it returns an error, nothing of c
// was written, except that the disk's own error may have come after the last write.
func (s *Store) Commit(c Commit) error {
	s.write.Lock()
	defer s.write.Unlock()
	from := s.frames.mark()
	err := s.update(func(tx *writeTx) error { return s.commit(tx, &c, from) })
	if err != nil {
		s.frames.rollback(from)
		return fmt.Errorf("commit to store: %w", errors.Join(err, s.againFrames(from)))
	}
	return nil
}

// againFrames reads what a commit that failed in its last write may have left after all: where the disk wrote the meta page
// and then reported an error, the commit is there.
func (s *Store) againFrames(from mark) error {
	if s.usable() != nil {
		return nil
	}
	return s.view(func(tx *bolt.Tx) error {
		if n := tx.Bucket(bucketFrames).Stats().KeyN; n <= from.frames {
			return nil
		}
		s.frames.rollback(mark{})
		return s.readFrames(tx)
	})
}

func (s *Store) commit(tx *writeTx, c *Commit, from mark) error {
	h, err := readHead(tx.Tx)
	if err != nil {
		return err
	}
	if c.Cursor != 0 && c.Cursor < h.cursor {
		return fmt.Errorf("cursor %v lies before the cursor %v of the last commit", c.Cursor, h.cursor)
	}
	h.cursor = cmp.Or(c.Cursor, h.cursor)
	if err := s.putRounds(tx, c, &h); err != nil {
		return err
	}
	if len(c.Sealed) > 0 {
		if err := s.packTail(tx); err != nil {
			return fmt.Errorf("pack rounds: %w", err)
		}
	}
	if err := s.writeFrames(tx, from); err != nil {
		return err
	}
	if err := putFindings(tx, &c.Findings, &h); err != nil {
		return err
	}
	if err := putNotices(tx, c); err != nil {
		return err
	}
	if c.Detector != nil {
		h.detector = true
		if err := tx.put(bucketState, keyDetector, c.Detector); err != nil {
			return err
		}
	}
	return tx.put(bucketState, keyHead, appendHead(nil, &h))
}

// putRounds writes the rounds of c in order of time.
func (s *Store) putRounds(tx *writeTx, c *Commit, h *head) error {
	var records []record
	for _, r := range c.Rounds {
		records = append(records, record{round: r})
	}
	for _, r := range c.Sealed {
		records = append(records, record{round: r, sealed: true})
	}
	slices.SortFunc(records, func(a, b record) int { return keyOf(a.round).compare(keyOf(b.round)) })
	tx.Bucket(bucketRounds).FillPercent = 1 // they are appended
	for i := range records {
		k := keyOf(records[i].round)
		if i > 0 && keyOf(records[i-1].round) == k {
			return fmt.Errorf("the %v stands twice in one commit", k)
		}
		if err := s.putRound(tx, &records[i], h); err != nil {
			return fmt.Errorf("%v: %w", k, err)
		}
		if err := s.putEpoch(tx, records[i].round, h); err != nil {
			return err
		}
	}
	return nil
}

// putRound writes one round and keeps up the chain, in which each round names the one before it.
func (s *Store) putRound(tx *writeTx, rec *record, h *head) error {
	k := keyOf(rec.round)
	if h.rounds > 0 && k.compare(h.last) <= 0 {
		if err := s.unpackAt(tx, k); err != nil {
			return err
		}
		old, err := s.lookup(tx.Tx, k)
		if err != nil {
			return err
		}
		if old != nil {
			return s.replaceRound(tx, rec, old, h)
		}
	}
	if err := s.link(tx, rec, h); err != nil {
		return err
	}
	return s.placeRound(tx, rec, h)
}

func (s *Store) replaceRound(tx *writeTx, rec, old *record, h *head) error {
	if old.sealed && !rec.sealed {
		return errors.New("it was sealed and cannot be under way again")
	}
	rec.linked, rec.before = old.linked, old.before
	return s.placeRound(tx, rec, h)
}

// placeRound writes a round whose links are known, and notes whether it is under way.
func (s *Store) placeRound(tx *writeTx, rec *record, h *head) error {
	k := keyOf(rec.round)
	h.open = slices.DeleteFunc(h.open, func(o key) bool { return o == k })
	if !rec.sealed {
		h.open = append(h.open, k)
		slices.SortFunc(h.open, key.compare)
	}
	return s.putRecord(tx, rec)
}

func (s *Store) putRecord(tx *writeTx, rec *record) error {
	value, err := appendRecord(nil, rec, s.frames)
	if err != nil {
		return err
	}
	return tx.put(bucketRounds, keyOf(rec.round).bytes(), value)
}

// link places a new record in the chain.
func (s *Store) link(tx *writeTx, rec *record, h *head) error {
	k := keyOf(rec.round)
	switch {
	case h.rounds == 0:
		h.first, h.last = k, k
	case k.compare(h.last) > 0:
		rec.linked, rec.before = true, h.last
		h.last = k
	default:
		after, err := s.following(tx, k)
		if err != nil {
			return err
		}
		rec.linked, rec.before = after.linked, after.before
		after.linked, after.before = true, k
		if err := s.putRecord(tx, after); err != nil {
			return err
		}
		if k.compare(h.first) < 0 {
			h.first = k
		}
	}
	h.rounds++
	return nil
}

// following reads the first record after k, which then stands in no pack.
func (s *Store) following(tx *writeTx, k key) (*record, error) {
	e, err := s.entries(tx.Tx).after(k)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, damagedRecord(bucketRounds, k.bytes(), errLost)
	}
	if err := s.unpackAt(tx, e.key); err != nil {
		return nil, err
	}
	return s.lookup(tx.Tx, e.key)
}

// lookup reads the record of k; nil if there is none.
func (s *Store) lookup(tx *bolt.Tx, k key) (*record, error) {
	e, err := s.entries(tx).find(k)
	if e == nil || err != nil {
		return nil, err
	}
	return e.record()
}

// putEpoch notes from which full round on a space was swept.
func (s *Store) putEpoch(tx *writeTx, r *probe.Round, h *head) error {
	if r.Kind != probe.Full {
		return nil
	}
	id := numberKey(s.frames.spaceID(r.Space))
	k := timeKey(r.Start)
	found, sealed := floor(tx.Bucket(bucketEpochs).Cursor(), k)
	if found != nil {
		value, err := unseal(bucketEpochs, found, sealed)
		if err != nil {
			return err
		}
		if string(value) == string(id) {
			return nil
		}
	}
	if string(found) != string(k) {
		h.epochs++
	}
	return tx.put(bucketEpochs, k, id)
}

// floor finds the last record at or before k; nil if there is none.
func floor(c *bolt.Cursor, k []byte) (found, value []byte) {
	found, value = c.Seek(k)
	switch {
	case found == nil:
		return c.Last()
	case string(found) == string(k):
		return found, value
	}
	return c.Prev()
}
