package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// maxFindings is how many problems Verify reports before it gives up counting.
const maxFindings = 100

// Verify checks the file's pages, by bbolt's own check too, every record's checksum and encoding, that no round is missing,
// and that what was found fits together. It joins all it finds wrong, up to a hundred findings; errors of the operating
// system end it. Progress, if not nil, is told of records checked and to be checked.
//
// Changes wait while the pages are checked, some 20 ms a year of rounds, and go on while the records are, about a second a
// year, as of the moment when that began.
func (s *Store) Verify(progress func(done, total int)) error {
	s.care.Lock()
	defer s.care.Unlock()
	s.write.Lock()
	unlockOnce := sync.OnceFunc(s.write.Unlock)
	defer unlockOnce()
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.verifyPages(); err != nil {
		return fmt.Errorf("verify store %s: %w", s.path, err) // no page of it is safe to follow
	}
	v := &verifier{store: s, progress: progress}
	err := s.view(func(tx *bolt.Tx) error {
		v.frames = s.frames.clone()
		unlockOnce()
		v.run(tx)
		return nil
	})
	if err = errors.Join(append(v.found, err)...); err != nil {
		return fmt.Errorf("verify store %s: %w", s.path, err)
	}
	return nil
}

// verifyPages inspects the file as it is on the disk, and only then lets bbolt do so.
func (s *Store) verifyPages() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	pages, err := inspectPages(s.file, info.Size(), true)
	if err != nil {
		return &DamagedError{s.path, err}
	}
	if pages.spare != nil {
		return fmt.Errorf("one of two meta pages is damaged, and the next commit mends it; the last commit before the store was opened may be missing: %w", pages.spare)
	}
	return s.view(func(tx *bolt.Tx) error {
		var found []error
		for err := range tx.Check() {
			if len(found) < maxFindings {
				found = append(found, err)
			}
		}
		return errors.Join(found...)
	})
}

type verifier struct {
	store       *Store
	frames      *frames // of its own: to encode a record again may add to them
	progress    func(done, total int)
	done, total int
	found       []error
}

func (v *verifier) report(err error) {
	if err != nil && len(v.found) < maxFindings {
		v.found = append(v.found, err)
	}
}

func (v *verifier) run(tx *bolt.Tx) {
	for _, name := range bucketNames {
		v.total += tx.Bucket(name).Stats().KeyN
	}
	h, err := readHead(tx)
	v.report(err)
	v.rounds(tx, &h)
	v.epochs(tx, &h)
	v.blocks(tx, &h)
	v.outages(tx, &h)
	for _, name := range [][]byte{bucketMeta, bucketSpaces, bucketFrames, bucketState, bucketNotices} {
		v.each(tx, name, func(_, _ []byte) error { return nil })
	}
}

// each visits every record, and goes on after one that is wrong.
func (v *verifier) each(tx *bolt.Tx, bucket []byte, f func(k, value []byte) error) {
	c := tx.Bucket(bucket).Cursor()
	for k, sealed := c.First(); k != nil; k, sealed = c.Next() {
		value, err := unseal(bucket, k, sealed)
		if err == nil {
			if err = f(k, value); err != nil && !errors.As(err, new(*RecordError)) {
				err = damagedRecord(bucket, k, err)
			}
		}
		v.report(err)
		v.done++
		if v.progress != nil && (v.done%256 == 0 || v.done == v.total) {
			v.progress(v.done, v.total)
		}
	}
}

var errNotCanonical = errors.New("encodes otherwise when it is written again")

func (v *verifier) rounds(tx *bolt.Tx, h *head) {
	chain := chainUp{head: h, first: true}
	var count uint64
	var open []key
	v.each(tx, bucketRounds, func(k, value []byte) error {
		records, err := v.roundsAt(k, value)
		for _, rec := range records {
			count++
			id := keyOf(rec.round)
			if !rec.sealed {
				open = append(open, id)
			}
			broken := chain.next(&entry{key: id, linked: rec.linked, before: rec.before})
			if broken != nil {
				chain = chainUp{head: h, any: true, last: id}
			}
			err = errors.Join(err, broken, inOrder(rec.round))
		}
		return err
	})
	v.report(chain.end())
	if count != h.rounds {
		v.report(fmt.Errorf("there are %d rounds, and should be %d", count, h.rounds))
	}
	if !slices.Equal(open, h.open) {
		v.report(fmt.Errorf("rounds %v are under way, and should be %v", open, h.open))
	}
}

// roundsAt decodes a record or a pack, and encodes it again.
func (v *verifier) roundsAt(k, value []byte) (list []*record, err error) {
	id, err := parseKey(k)
	if err != nil {
		return nil, err
	}
	var again []byte
	if isPack(value) {
		p, err := decodePack(value, id, v.frames)
		if err != nil {
			return nil, err
		}
		if list, err = p.records(); err != nil {
			return nil, err
		}
		again, err = appendPack(nil, list, v.frames)
		return list, cmpErr(err, differs(again, value))
	}
	rec, err := decodeRecord(value, id, v.frames)
	if err != nil {
		return nil, err
	}
	again, err = appendRecord(nil, rec, v.frames)
	return []*record{rec}, cmpErr(err, differs(again, value))
}

func differs(again, value []byte) error {
	if !bytes.Equal(again, value) {
		return errNotCanonical
	}
	return nil
}

// inOrder checks a round's times.
func inOrder(r *probe.Round) error {
	if r.End < r.Start {
		return fmt.Errorf("ends at %v, before its start", r.End)
	}
	return nil
}

func (v *verifier) epochs(tx *bolt.Tx, h *head) {
	count := 0
	v.each(tx, bucketEpochs, func(k, value []byte) error {
		count++
		if len(k) != 8 || len(value) != 4 {
			return errors.New("malformed epoch")
		}
		rec, err := v.store.lookup(tx, key{start: parseTime(k)})
		if err == nil && rec == nil {
			return nil // its round was pruned
		}
		if err == nil && string(numberKey(v.frames.spaceID(rec.round.Space))) != string(value) {
			err = errors.New("names another space than its round")
		}
		return err
	})
	if uint64(count) != h.epochs {
		v.report(countError(bucketEpochs, count, h.epochs))
	}
}

// blocks checks what is kept by block: summaries and changes.
func (v *verifier) blocks(tx *bolt.Tx, h *head) {
	all, err := readBlocks(tx, h)
	v.report(err)
	if err != nil {
		return
	}
	v.each(tx, bucketBlocks, func(_, _ []byte) error { return nil })
	v.each(tx, bucketSummaries, func(k, value []byte) error {
		if len(k) != 4+keySize || blockOf(k) >= uint64(len(all.list)) {
			return errors.New("names no block")
		}
		c, err := decodeChunk(value, all.list[blockOf(k)].name, parseTime(k[4:]))
		if err != nil {
			return err
		}
		return differs(appendChunk(nil, c), value)
	})
	v.each(tx, bucketHours, func(k, value []byte) error {
		if len(k) != 4+8 || blockOf(k) >= uint64(len(all.list)) {
			return errors.New("names no block")
		}
		d, err := decodeDay(value, parseTime(k[4:]), nil)
		if err != nil {
			return err
		}
		return differs(appendDay(nil, d), value)
	})
	changes := uint64(0)
	for _, bl := range all.list {
		v.summaries(tx, bl)
		v.hours(tx, bl)
		changes += bl.changes
	}
	said := uint64(0)
	v.each(tx, bucketChanges, func(k, value []byte) error {
		said++
		var c outage.Change
		if err := decodeJSON(value, &c); err != nil {
			return err
		}
		if bl := all.byName[c.Block]; bl == nil || !bytes.HasPrefix(k, numberKey(bl.id)) {
			return errors.New("names another block than its key")
		}
		return nil
	})
	if said != changes {
		v.report(countError(bucketChanges, int(said), changes))
	}
}

// summaries checks the chain of a block's chunks and the order of what they hold.
func (v *verifier) summaries(tx *bolt.Tx, bl *block) {
	var last *outage.Summary
	v.report(eachChunk(tx, bl, math.MinInt64, math.MaxInt64, func(c *chunk) {
		for i := range c.list {
			if m := &c.list[i]; last != nil && summaryKey(last).compare(summaryKey(m)) >= 0 {
				v.report(fmt.Errorf("summaries of %s are out of order at %v", bl.name, m.Start))
			}
			last = &c.list[i]
		}
	}))
}

// hours checks the chain of a block's days, and that they say what its summaries do, as far as these reach.
func (v *verifier) hours(tx *bolt.Tx, bl *block) {
	var kept []Hour
	err := eachDay(tx, bl, math.MinInt64, math.MaxInt64, func(d *day) { kept = append(kept, d.hours...) })
	summed, errSum := summedUp(tx, bl, math.MinInt64, math.MaxInt64)
	if err != nil || errSum != nil {
		v.report(cmpErr(err, errSum))
		return
	}
	if bl.pruned {
		summed = summed[min(1, len(summed)):] // the first may lack summaries that were pruned
	}
	for len(kept) > 0 && (len(summed) == 0 || kept[0].Start < summed[0].Start) && bl.pruned {
		kept = kept[1:]
	}
	if !slices.EqualFunc(kept, summed, sameHour) {
		v.report(fmt.Errorf("the hours of %s are not what its summaries say", bl.name))
	}
}

// sameHour compares what is kept of an hour with what its summaries say. What wrote it may have been of before a round in
// which nothing was expected had no rate: it had one of 0.
func sameHour(kept, summed Hour) bool {
	if kept.Lowest == 0 && summed.States[outage.Learning]+summed.States[outage.Unobservable] > 0 {
		kept.Lowest = summed.Lowest
	}
	return kept == summed
}

// outages checks the index, that the outages of one block do not overlap, that their phases adjoin, and that their
// revisions came after them, in order.
func (v *verifier) outages(tx *bolt.Tx, h *head) {
	blocks := map[string][]outage.Outage{}
	count := 0
	v.each(tx, bucketOutages, func(k, value []byte) error {
		var o outage.Outage
		if err := decodeJSON(value, &o); err != nil {
			return err
		}
		count++
		blocks[o.Block] = append(blocks[o.Block], o)
		switch {
		case o.ID != string(k):
			return fmt.Errorf("is of outage %s", o.ID)
		case tx.Bucket(bucketByStart).Get(startKey(&o)) == nil:
			return errors.New("is missing in the index")
		}
		return checkOutage(&o)
	})
	indexed := 0
	v.each(tx, bucketByStart, func(_, _ []byte) error {
		indexed++
		return nil
	})
	if uint64(indexed) != h.outages || uint64(count) != h.outages {
		v.report(fmt.Errorf("there are %d outages and %d in their index, and should be %d", count, indexed, h.outages))
	}
	for _, list := range blocks {
		v.report(apart(list))
	}
}

func checkOutage(o *outage.Outage) error {
	if (o.End == nil) != (o.Status == outage.Ongoing) {
		return fmt.Errorf("is %s, against its end", o.Status)
	}
	for i, p := range o.Phases {
		last := i == len(o.Phases)-1
		switch {
		case i == 0 && p.Start != o.Start:
			return errors.New("its first phase starts at another time")
		case !last && (p.End == nil || *p.End != o.Phases[i+1].Start):
			return fmt.Errorf("its phases %d and %d do not adjoin", i, i+1)
		case last && (p.End == nil) != (o.End == nil), last && p.End != nil && *p.End != *o.End:
			return errors.New("its last phase ends at another time")
		}
	}
	return checkRevisions(o)
}

// checkRevisions checks that what was found later of an outage was, and in order.
func checkRevisions(o *outage.Outage) error {
	last := o.DeclaredAt
	for i, r := range o.Revisions {
		if r.At < last {
			return fmt.Errorf("its revision %d was found before what it revises", i)
		}
		last = r.At
	}
	return nil
}

// apart checks that the outages of a block do not overlap.
func apart(list []outage.Outage) error {
	slices.SortFunc(list, func(a, b outage.Outage) int { return cmp.Compare(a.Start.At, b.Start.At) })
	for i := 1; i < len(list); i++ {
		if before := &list[i-1]; before.End == nil || before.End.At > list[i].Start.At {
			return fmt.Errorf("outages %s and %s overlap", before.ID, list[i].ID)
		}
	}
	return nil
}
