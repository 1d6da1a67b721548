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
	err := s.update(func(tx *bolt.Tx) error { return s.commit(tx, &c, from) })
	if err != nil {
		s.frames.rollback(from)
		return fmt.Errorf("commit to store: %w", err)
	}
	return nil
}

func (s *Store) commit(tx *bolt.Tx, c *Commit, from mark) error {
	h, err := readHead(tx)
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
		if err := put(tx, bucketState, keyDetector, slices.Clone(c.Detector)); err != nil {
			return err
		}
	}
	return put(tx, bucketState, keyHead, appendHead(nil, &h))
}

// putRounds writes the rounds of c in order of time.
func (s *Store) putRounds(tx *bolt.Tx, c *Commit, h *head) error {
	var records []record
	for _, r := range c.Rounds {
		records = append(records, record{round: r})
	}
	for _, r := range c.Sealed {
		records = append(records, record{round: r, sealed: true})
	}
	slices.SortFunc(records, func(a, b record) int { return keyOf(a.round).compare(keyOf(b.round)) })
	bucket := tx.Bucket(bucketRounds)
	bucket.FillPercent = 1 // they are appended
	for i := range records {
		k := keyOf(records[i].round)
		if i > 0 && keyOf(records[i-1].round) == k {
			return fmt.Errorf("the %v stands twice in one commit", k)
		}
		if err := s.putRound(bucket, &records[i], h); err != nil {
			return fmt.Errorf("%v: %w", k, err)
		}
		if err := s.putEpoch(tx, records[i].round, h); err != nil {
			return err
		}
	}
	return nil
}

// putRound writes one round and keeps up the chain, in which each round names the one before it.
func (s *Store) putRound(bucket *bolt.Bucket, rec *record, h *head) error {
	k := keyOf(rec.round)
	old, err := s.lookup(bucket, k)
	if err != nil {
		return err
	}
	if old != nil {
		if old.sealed && !rec.sealed {
			return errors.New("it was sealed and cannot be under way again")
		}
		rec.linked, rec.before = old.linked, old.before
	} else if err := s.link(bucket, rec, h); err != nil {
		return err
	}
	h.open = slices.DeleteFunc(h.open, func(o key) bool { return o == k })
	if !rec.sealed {
		h.open = append(h.open, k)
		slices.SortFunc(h.open, key.compare)
	}
	return s.putRecord(bucket, rec)
}

func (s *Store) putRecord(bucket *bolt.Bucket, rec *record) error {
	value, err := appendRecord(nil, rec, s.frames)
	if err != nil {
		return err
	}
	k := keyOf(rec.round).bytes()
	return bucket.Put(k, seal(bucketRounds, k, value))
}

// link places a new record in the chain.
func (s *Store) link(bucket *bolt.Bucket, rec *record, h *head) error {
	k := keyOf(rec.round)
	switch {
	case h.rounds == 0:
		h.first, h.last = k, k
	case k.compare(h.last) > 0:
		rec.linked, rec.before = true, h.last
		h.last = k
	default:
		after, err := s.seek(bucket, k)
		if err != nil {
			return err
		}
		rec.linked, rec.before = after.linked, after.before
		after.linked, after.before = true, k
		if err := s.putRecord(bucket, after); err != nil {
			return err
		}
		if k.compare(h.first) < 0 {
			h.first = k
		}
	}
	h.rounds++
	return nil
}

// lookup reads the record of k; nil if there is none.
func (s *Store) lookup(bucket *bolt.Bucket, k key) (*record, error) {
	value := bucket.Get(k.bytes())
	if value == nil {
		return nil, nil
	}
	return s.decode(k.bytes(), value)
}

// seek reads the first record after k.
func (s *Store) seek(bucket *bolt.Bucket, k key) (*record, error) {
	found, value := bucket.Cursor().Seek(k.bytes())
	if found == nil {
		return nil, damagedRecord(bucketRounds, k.bytes(), errLost)
	}
	return s.decode(found, value)
}

// decode reads a record as it stands in its bucket.
func (s *Store) decode(k, sealed []byte) (*record, error) {
	value, err := unseal(bucketRounds, k, sealed)
	if err != nil {
		return nil, err
	}
	id, err := parseKey(k)
	if err != nil {
		return nil, damagedRecord(bucketRounds, k, err)
	}
	rec, err := decodeRecord(value, id, s.frames)
	if err != nil {
		return nil, damagedRecord(bucketRounds, k, err)
	}
	return rec, nil
}

// putEpoch notes from which full round on a space was swept.
func (s *Store) putEpoch(tx *bolt.Tx, r *probe.Round, h *head) error {
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
	return put(tx, bucketEpochs, k, id)
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
