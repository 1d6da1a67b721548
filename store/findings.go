package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// jsonVersion is the first byte of records that are JSON: outages and changes are few, and their form grows.
const jsonVersion = 1

var errMissing = errors.New("is missing")

var errMalformedKey = errors.New("malformed key")

func appendJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte{jsonVersion}, b...), nil
}

func decodeJSON(b []byte, v any) error {
	if len(b) == 0 || b[0] != jsonVersion {
		return errors.New("its encoding is not known")
	}
	return json.Unmarshal(b[1:], v)
}

func putFindings(tx *writeTx, f *outage.Findings, h *head) error {
	all, err := readBlocks(tx.Tx, h)
	if err != nil {
		return err
	}
	for i := range f.Changes {
		if err := putChange(tx, &f.Changes[i], all.add(f.Changes[i].Block)); err != nil {
			return fmt.Errorf("change of %s: %w", f.Changes[i].Block, err)
		}
	}
	for i := range f.Outages {
		if err := putOutage(tx, &f.Outages[i], h); err != nil {
			return fmt.Errorf("outage %s: %w", f.Outages[i].ID, err)
		}
	}
	if err := putSummaries(tx, f.Summaries, all); err != nil {
		return err
	}
	return all.write(tx, h)
}

// putSummaries writes summaries, and anew the hours that they fall in.
func putSummaries(tx *writeTx, list []outage.Summary, all *blocks) error {
	spans := map[*block][2]probe.Instant{}
	for i := range list {
		m := &list[i]
		bl := all.add(m.Block)
		if err := putSummary(tx, m, bl); err != nil {
			return fmt.Errorf("summary of %s, %v: %w", m.Block, m.Start, err)
		}
		span, ok := spans[bl]
		if !ok {
			span = [2]probe.Instant{m.Start, m.Start}
		}
		spans[bl] = [2]probe.Instant{min(span[0], m.Start), max(span[1], m.Start)}
	}
	for _, bl := range all.list {
		if span, ok := spans[bl]; ok {
			if err := flushSummaries(tx, bl); err != nil {
				return fmt.Errorf("summaries of %s: %w", bl.name, err)
			}
			if err := putHours(tx, bl, span[0], span[1]); err != nil {
				return fmt.Errorf("hours of %s: %w", bl.name, err)
			}
		}
	}
	return nil
}

// putOutage writes an outage, new or changed, and keeps up the index by its start.
func putOutage(tx *writeTx, o *outage.Outage, h *head) error {
	if o.ID == "" {
		return errors.New("it has no id")
	}
	id := []byte(o.ID)
	old, err := get(tx.Tx, bucketOutages, id)
	if err != nil {
		return err
	}
	if old != nil {
		var was outage.Outage
		if err := decodeJSON(old, &was); err != nil {
			return damagedRecord(bucketOutages, id, err)
		}
		if err := tx.remove(bucketByStart, startKey(&was)); err != nil {
			return err
		}
	} else {
		h.outages++
	}
	value, err := appendJSON(o)
	if err != nil {
		return err
	}
	if err := tx.put(bucketOutages, id, value); err != nil {
		return err
	}
	return tx.put(bucketByStart, startKey(o), nil)
}

func startKey(o *outage.Outage) []byte { return append(timeKey(o.Start.At), o.ID...) }

// Outages is every outage of every block, by its most likely start and then by its ID.
func (s *Store) Outages() ([]outage.Outage, error) {
	var all []outage.Outage
	err := s.view(func(tx *bolt.Tx) error {
		all = nil
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		err = each(tx, bucketByStart, func(k, _ []byte) error {
			if len(k) < 8 {
				return damagedRecord(bucketByStart, k, errMalformedKey)
			}
			o, err := readOutage(tx, k[8:])
			if err == nil && o == nil {
				err = damagedRecord(bucketOutages, k[8:], errMissing)
			}
			if err == nil {
				all = append(all, *o)
			}
			return err
		})
		if err == nil && uint64(len(all)) != h.outages {
			err = countError(bucketByStart, len(all), h.outages)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read outages: %w", err)
	}
	return all, nil
}

// Outage is the outage of that ID, or nil if there is none.
func (s *Store) Outage(id string) (o *outage.Outage, err error) {
	if id == "" {
		return nil, nil
	}
	err = s.view(func(tx *bolt.Tx) (err error) {
		if o, err = readOutage(tx, []byte(id)); o != nil || err != nil {
			return err
		}
		h, err := readHead(tx)
		if found := tx.Bucket(bucketOutages).Stats().KeyN; err == nil && uint64(found) != h.outages {
			err = countError(bucketOutages, found, h.outages)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read outage: %w", err)
	}
	return o, nil
}

func readOutage(tx *bolt.Tx, id []byte) (*outage.Outage, error) {
	value, err := get(tx, bucketOutages, id)
	if err != nil || value == nil {
		return nil, err
	}
	o := new(outage.Outage)
	if err := decodeJSON(value, o); err != nil {
		return nil, damagedRecord(bucketOutages, id, err)
	}
	o.FillLists()
	return o, nil
}

// putChange appends a change to those of its block: their order is that in which they were said.
func putChange(tx *writeTx, c *outage.Change, bl *block) error {
	value, err := appendJSON(c)
	if err != nil {
		return err
	}
	k := changeKey(bl, bl.changes)
	bl.changes++
	return tx.put(bucketChanges, k, value)
}

func changeKey(bl *block, n uint64) []byte { return binary.BigEndian.AppendUint64(numberKey(bl.id), n) }

// Changes is what a block's states were between from and to as last said: each of these changes holds until the next. The
// first is the one in force at from, if there is one. A change corrects all that was said earlier of the time from its
// Since on.
func (s *Store) Changes(block string, from, to probe.Instant) ([]outage.Change, error) {
	said, err := s.Said(block)
	if err != nil {
		return nil, err
	}
	var line []outage.Change
	for _, c := range said {
		for len(line) > 0 && line[len(line)-1].Since >= c.Since {
			line = line[:len(line)-1]
		}
		line = append(line, c)
	}
	for len(line) > 0 && line[len(line)-1].Since >= to {
		line = line[:len(line)-1]
	}
	for len(line) > 1 && line[1].Since <= from {
		line = line[1:]
	}
	return line, nil
}

// Said is every change of a block in the order in which it was said, corrected ones included.
func (s *Store) Said(block string) ([]outage.Change, error) {
	var said []outage.Change
	err := s.view(func(tx *bolt.Tx) error {
		said = nil
		bl, err := readBlock(tx, block)
		if bl == nil {
			return err
		}
		for n := range bl.changes {
			k := changeKey(bl, n)
			value, err := get(tx, bucketChanges, k)
			if err == nil && value == nil {
				err = damagedRecord(bucketChanges, k, errMissing)
			}
			if err != nil {
				return err
			}
			var change outage.Change
			if err := decodeJSON(value, &change); err != nil {
				return damagedRecord(bucketChanges, k, err)
			}
			said = append(said, change)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read changes of %s: %w", block, err)
	}
	return said, nil
}

// errUnlearned says that what was learned is damaged, and nothing else that was read with it: rounds can tell it anew.
var errUnlearned = errors.New("what was learned is damaged")

// Detector is the detector's last snapshot, nil if there is none, and the cursor committed with it.
func (s *Store) Detector() (snapshot []byte, cursor probe.Instant, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		b, err := get(tx, bucketState, keyDetector)
		if err == nil && h.detector != (b != nil) {
			err = damagedRecord(bucketState, keyDetector, errMissing)
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", errUnlearned, err)
		}
		snapshot, cursor = bytes.Clone(b), h.cursor
		return err
	})
	if err != nil {
		return nil, cursor, fmt.Errorf("read detector: %w", err)
	}
	return snapshot, cursor, nil
}
