package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// Retention says how long what is kept. The zero value keeps everything for ever.
type Retention struct {
	Rounds    time.Duration // rounds of all kinds; 0: for ever, as below
	Summaries time.Duration // of single rounds
	Hours     time.Duration // summaries of hours and days
	Outages   time.Duration // that ended
	MaxSize   int64         // bytes in use: the oldest rounds go first, then summaries; 0: any
}

// Pruned is how much was dropped, or would be.
type Pruned struct {
	Rounds    int   `json:"rounds"`
	Summaries int   `json:"summaries"`
	Hours     int   `json:"hours"`
	Outages   int   `json:"outages"`
	Freed     int64 `json:"freed_bytes"` // room in the file for what comes: it does not shrink. Unknown of a dry run
}

// pruneStep is how many records one transaction drops, so that no round waits for it.
const pruneStep = 64

// Prune drops what is older than r wants, in small transactions, between which others commit. What is needed to judge what
// lasts is never dropped: the rounds of the last eight days, of those before an outage that lasts, and the last of
// everything. Rounds go by packs, and so stay up to two days longer at 11 minutes each. With dry nothing is changed, and
// r.MaxSize does not count.
func (s *Store) Prune(now probe.Instant, r Retention, dry bool) (p Pruned, err error) {
	floor, err := s.pruneFloor()
	if err != nil {
		return p, fmt.Errorf("prune store %s: %w", s.path, err)
	}
	before, err := s.InUse()
	if err != nil {
		return p, err
	}
	pr := pruner{store: s, dry: dry, out: &p}
	cut := func(keep time.Duration) probe.Instant {
		if keep == 0 {
			return math.MinInt64
		}
		return min(now.Add(-keep.Milliseconds()), floor)
	}
	pr.all(pr.rounds, cut(r.Rounds))
	pr.all(pr.summaries, cut(r.Summaries))
	pr.all(pr.hours, cut(r.Hours))
	pr.all(pr.outages, cut(r.Outages))
	if r.MaxSize > 0 && !dry {
		pr.until(r.MaxSize, pr.rounds, floor)
		pr.until(r.MaxSize, pr.summaries, floor)
	}
	if pr.err != nil {
		return p, fmt.Errorf("prune store %s: %w", s.path, pr.err)
	}
	if after, err := s.InUse(); err == nil && !dry {
		p.Freed = max(before-after, 0)
	}
	return p, nil
}

// pruneFloor is the start of the first round that is needed.
func (s *Store) pruneFloor() (probe.Instant, error) {
	st, err := s.Stats()
	if err != nil {
		return 0, err
	}
	told, err := s.Outages()
	if err != nil {
		return 0, err
	}
	if st.Cursor == 0 {
		st.Cursor = st.Last
	}
	return relearnFrom(told, min(st.Cursor, st.Last)).Add(-dayMS), nil
}

// pruner drops step by step. A step drops a few of the oldest records of a kind that lie wholly before a time, and says
// whether there may be more.
type pruner struct {
	store *Store
	dry   bool
	out   *Pruned
	err   error
}

type pruneTx func(tx *writeTx, h *head, cut probe.Instant, most int) (more bool, err error)

func (p *pruner) all(step pruneTx, cut probe.Instant) {
	if cut == math.MinInt64 {
		return
	}
	for more := true; more && p.err == nil; {
		more = p.step(step, cut)
	}
}

// until goes on while more is in use than there should be.
func (p *pruner) until(most int64, step pruneTx, cut probe.Instant) {
	for more := true; more && p.err == nil; {
		var used int64
		if used, p.err = p.store.InUse(); used <= most {
			return
		}
		more = p.step(step, cut)
	}
}

// step runs one step in a transaction, which a dry run takes back.
func (p *pruner) step(step pruneTx, cut probe.Instant) (more bool) {
	s := p.store
	most := pruneStep
	if p.dry {
		most = math.MaxInt
	}
	run := func(tx *writeTx) error {
		h, err := readHead(tx.Tx)
		if err == nil {
			more, err = step(tx, &h, cut, most)
		}
		if err != nil || p.dry {
			return err
		}
		return tx.put(bucketState, keyHead, appendHead(nil, &h))
	}
	if p.dry {
		p.err = s.view(func(tx *bolt.Tx) error { return run(&writeTx{Tx: tx}) })
		return false
	}
	s.write.Lock()
	defer s.write.Unlock()
	p.err = s.update(run)
	return more
}

// rounds drops rounds. One that is under way, and all after it, stay.
func (p *pruner) rounds(tx *writeTx, h *head, cut probe.Instant, most int) (bool, error) {
	var drop [][]byte
	c := tx.Bucket(bucketRounds).Cursor()
	rounds := 0
	k, v := c.First()
	for ; k != nil && len(drop) < most; k, v = c.Next() {
		id, value, err := openRound(k, v)
		if err != nil {
			return false, err
		}
		last, n, err := spanOf(id, value)
		if err != nil {
			return false, damagedRecord(bucketRounds, k, err)
		}
		if last.start >= cut || last == h.last || n == 1 && !isPack(value) && !sealedFlag(value) {
			break
		}
		drop = append(drop, bytes.Clone(k))
		rounds += n
	}
	p.out.Rounds += rounds
	if len(drop) == 0 || p.dry {
		return false, nil
	}
	h.rounds -= uint64(rounds)
	if err := p.store.beginAt(tx, h, bytes.Clone(k), bytes.Clone(v)); err != nil {
		return false, err
	}
	return len(drop) == most, removeAll(tx, bucketRounds, drop)
}

func removeAll(tx *writeTx, bucket []byte, keys [][]byte) error {
	for _, k := range keys {
		if err := tx.remove(bucket, k); err != nil {
			return err
		}
	}
	return nil
}

// spanOf is the last round of what stands under a key, and how many they are.
func spanOf(id key, value []byte) (last key, n int, err error) {
	if !isPack(value) {
		return id, 1, nil
	}
	p, err := readPackHead(value, id)
	if err != nil {
		return id, 0, err
	}
	rounds, _ := binary.Uvarint(p.body)
	return p.last, int(min(rounds, maxPack)), nil
}

// beginAt makes what stands under k the first of all.
func (s *Store) beginAt(tx *writeTx, h *head, k, sealed []byte) error {
	id, value, err := openRound(k, sealed)
	if err != nil {
		return err
	}
	h.first = id
	if isPack(value) {
		p, err := readPackHead(value, id)
		if err != nil {
			return damagedRecord(bucketRounds, k, err)
		}
		p.linked = false
		return tx.put(bucketRounds, k, append(appendPackHead(nil, &p), p.body...))
	}
	rec, err := decodeRecord(value, id, s.frames)
	if err != nil {
		return damagedRecord(bucketRounds, k, err)
	}
	rec.linked = false
	return s.putRecord(tx, rec)
}

// summaries drops chunks of every block.
func (p *pruner) summaries(tx *writeTx, h *head, cut probe.Instant, most int) (more bool, err error) {
	all, err := readBlocks(tx.Tx, h)
	if err != nil {
		return false, err
	}
	for _, bl := range all.list {
		full, err := p.chunksOf(tx, bl, cut, most)
		if err != nil {
			return false, err
		}
		more = more || full
	}
	if p.dry {
		return false, nil
	}
	return more, all.write(tx, h)
}

func (p *pruner) chunksOf(tx *writeTx, bl *block, cut probe.Instant, most int) (more bool, err error) {
	var drop [][]byte
	prefix := numberKey(bl.id)
	cursor := tx.Bucket(bucketSummaries).Cursor()
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		c, err := openChunk(k, v, bl.name)
		if err != nil {
			return false, err
		}
		if len(drop) == most || c.key() == bl.last || c.list[len(c.list)-1].Start >= cut {
			if len(drop) == 0 || p.dry {
				break
			}
			c.linked, bl.pruned, bl.touched = false, true, true
			return len(drop) == most, cmpErr(removeAll(tx, bucketSummaries, drop), putChunk(tx, bl, c))
		}
		drop = append(drop, bytes.Clone(k))
		p.out.Summaries += len(c.list)
	}
	return false, nil
}

// hours drops days of every block.
func (p *pruner) hours(tx *writeTx, h *head, cut probe.Instant, most int) (more bool, err error) {
	all, err := readBlocks(tx.Tx, h)
	if err != nil {
		return false, err
	}
	for _, bl := range all.list {
		full, err := p.daysOf(tx, bl, cut, most)
		if err != nil {
			return false, err
		}
		more = more || full
	}
	return more && !p.dry, nil
}

func (p *pruner) daysOf(tx *writeTx, bl *block, cut probe.Instant, most int) (more bool, err error) {
	var drop [][]byte
	prefix := numberKey(bl.id)
	cursor := tx.Bucket(bucketHours).Cursor()
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		d, err := openDay(k, v, nil)
		if err != nil {
			return false, err
		}
		if len(drop) == most || d.start == bl.lastDay || d.start.Add(dayMS) > cut {
			if len(drop) == 0 || p.dry {
				break
			}
			d.linked = false
			return len(drop) == most, cmpErr(removeAll(tx, bucketHours, drop), tx.put(bucketHours, bytes.Clone(k), appendDay(nil, d)))
		}
		drop = append(drop, bytes.Clone(k))
		p.out.Hours += len(d.hours)
	}
	return false, nil
}

// outages drops outages that ended.
func (p *pruner) outages(tx *writeTx, h *head, cut probe.Instant, most int) (bool, error) {
	var drop []outage.Outage
	c := tx.Bucket(bucketByStart).Cursor()
	for k, _ := c.First(); k != nil && len(drop) < most; k, _ = c.Next() {
		if len(k) < 8 {
			return false, damagedRecord(bucketByStart, k, errMalformedKey)
		}
		if parseTime(k) >= cut {
			break
		}
		o, err := readOutage(tx.Tx, k[8:])
		if err == nil && o == nil {
			err = damagedRecord(bucketOutages, k[8:], errMissing)
		}
		if err != nil {
			return false, err
		}
		if o.End != nil && o.End.Latest < cut {
			drop = append(drop, *o)
		}
	}
	p.out.Outages += len(drop)
	if p.dry {
		return false, nil
	}
	for i := range drop {
		h.outages--
		if err := cmpErr(tx.remove(bucketByStart, startKey(&drop[i])), tx.remove(bucketOutages, []byte(drop[i].ID))); err != nil {
			return false, err
		}
	}
	return len(drop) == most, nil
}
