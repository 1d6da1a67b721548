package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// Hours are what is kept of a block when its summaries are gone, and what a year is read from. A record is a block's day:
//
//	version 1 byte, then 1 and the day of the record before it, or 0
//	which hours there are: 24 bits
//	columns over these of everything in an Hour
//
// RTTs are kept as numbers of quantisation steps.
const hoursVersion = 1

const (
	hourMS = 3600_000
	dayMS  = 24 * hourMS
)

// Hour is a block's rounds that began within an hour, or within a longer time.
type Hour struct {
	Start    probe.Instant
	Rounds   int
	States   [6]int         // rounds by the block's state
	Judged   int            // rounds of which more is known than that the state is unknown: what follows is of these
	Expected outage.Decimal // mean
	Observed int            // sum
	Lowest   outage.Decimal // response rate of a round in which something was expected; see Rated
	Lives    int            // sum of Summary.Responsive
	Targets  int
	Timed    int       // rounds with RTTs
	RTT      [5]uint32 // means of their percentiles, quantised
}

// add takes in a summary.
func (h *Hour) add(m *outage.Summary) {
	one := Hour{Rounds: 1, Targets: m.Targets}
	one.States[min(int(m.State), len(one.States)-1)] = 1
	if m.State != outage.Unknown {
		one.Judged, one.Expected, one.Observed, one.Lives = 1, m.Expected, m.Observed, m.Responsive
		one.Lowest = outage.Ratio(int64(m.Observed)*decimals, int64(m.Expected))
	}
	if m.RTT[2] > 0 {
		one.Timed, one.RTT = 1, m.RTT
	}
	h.merge(&one)
}

// decimals is how many of outage.Decimal are 1.
const decimals = 10_000

// merge takes in another time of the same block.
func (h *Hour) merge(o *Hour) {
	if o.Rated() && (!h.Rated() || o.Lowest < h.Lowest) {
		h.Lowest = o.Lowest
	}
	if o.Judged > 0 {
		h.Expected = outage.Decimal(weighted(int64(h.Expected), h.Judged, int64(o.Expected), o.Judged))
	}
	for p := range h.RTT {
		if o.Timed > 0 {
			h.RTT[p] = uint32(weighted(int64(h.RTT[p]), h.Timed, int64(o.RTT[p]), o.Timed))
		}
	}
	for s := range h.States {
		h.States[s] += o.States[s]
	}
	h.Rounds += o.Rounds
	h.Judged += o.Judged
	h.Timed += o.Timed
	h.Observed += o.Observed
	h.Lives += o.Lives
	h.Targets = max(h.Targets, o.Targets)
}

// weighted is the mean of a, n times, and b, k times, rounded.
func weighted(a int64, n int, b int64, k int) int64 {
	return (a*int64(n) + b*int64(k) + int64(n+k)/2) / int64(n+k)
}

// day is a block's hours of one day.
type day struct {
	start  probe.Instant
	linked bool // whether a day stands before it
	before probe.Instant
	hours  []Hour
}

// floorTo is the last multiple of a step at or before t.
func floorTo(t probe.Instant, step int64) probe.Instant {
	rest := int64(t) % step
	if rest < 0 {
		rest += step
	}
	return t.Add(-rest)
}

// hourFields visits what a record keeps of an hour, in order: field is given each value, and gives what it becomes.
func hourFields(h *Hour, field func(v int64) int64) {
	number := func(v *int) { *v = int(field(int64(*v))) }
	decimal := func(v *outage.Decimal) { *v = outage.Decimal(field(int64(*v))) }
	number(&h.Rounds)
	for s := range h.States {
		number(&h.States[s])
	}
	number(&h.Judged)
	decimal(&h.Expected)
	number(&h.Observed)
	decimal(&h.Lowest)
	number(&h.Lives)
	number(&h.Targets)
	number(&h.Timed)
	last := int64(0)
	for p := range h.RTT {
		last += field(int64(rttCode(probe.QuantiseRTT(h.RTT[p]))) - last)
		h.RTT[p], _ = rttOf(uint64(last)) // a code that is none reads as 0
	}
}

const hourColumns = 1 + 6 + 7 + 5

func appendDay(b []byte, d *day) []byte {
	b = append(b, hoursVersion)
	if d.linked {
		b = append(append(b, 1), timeKey(d.before)...)
	} else {
		b = append(b, 0)
	}
	var present uint32
	columns := make([][]uint64, hourColumns)
	for i := range d.hours {
		h := d.hours[i]
		present |= 1 << (int64(h.Start-d.start) / hourMS)
		c := 0
		hourFields(&h, func(v int64) int64 {
			columns[c] = append(columns[c], zigzag(v))
			c++
			return v
		})
	}
	b = append(b, byte(present), byte(present>>8), byte(present>>16))
	for _, column := range columns {
		b = appendColumn(b, column, 0)
	}
	return b
}

// decodeDay reads the record of a day; its hours are put into room, if there is enough.
func decodeDay(b []byte, start probe.Instant, room []Hour) (*day, error) {
	in := reader{b: b}
	if v := in.byte(); v != hoursVersion && in.err == nil {
		return nil, fmt.Errorf("hours' encoding %d is not known", v)
	}
	d := &day{start: start}
	if d.linked = in.truth(); d.linked {
		d.before = in.instant()
	}
	present := uint32(in.byte()) | uint32(in.byte())<<8 | uint32(in.byte())<<16
	d.hours = slices.Grow(room[:0], bits.OnesCount32(present))
	for i := range int64(24) {
		if present>>i&1 != 0 {
			d.hours = append(d.hours, Hour{Start: start.Add(i * hourMS)})
		}
	}
	var columns [hourColumns][24]uint64
	for c := range columns {
		in.columnInto(columns[c][:len(d.hours)], 0)
	}
	if err := in.end(); err != nil {
		return nil, err
	}
	for i := range d.hours {
		c := 0
		hourFields(&d.hours[i], func(int64) int64 {
			c++
			return unzigzag(columns[c-1][i])
		})
	}
	return d, nil
}

func dayKey(bl *block, start probe.Instant) []byte {
	return append(numberKey(bl.id), timeKey(start)...)
}

func openDay(k, sealed []byte, room []Hour) (*day, error) {
	value, err := unseal(bucketHours, k, sealed)
	if err != nil {
		return nil, err
	}
	if len(k) != 4+8 {
		return nil, damagedRecord(bucketHours, k, errors.New("malformed key"))
	}
	d, err := decodeDay(value, parseTime(k[4:]), room)
	if err != nil {
		return nil, damagedRecord(bucketHours, k, err)
	}
	return d, nil
}

// putHours works out anew the hours of a block from the first to the last of the given times.
func putHours(tx *writeTx, bl *block, from, to probe.Instant) error {
	from, to = floorTo(from, hourMS), floorTo(to, hourMS).Add(hourMS)
	hours, err := summedUp(tx.Tx, bl, from, to)
	if err != nil {
		return err
	}
	for len(hours) > 0 {
		start := floorTo(hours[0].Start, dayMS)
		n := 0
		for n < len(hours) && hours[n].Start < start.Add(dayMS) {
			n++
		}
		if err := putDay(tx, bl, start, hours[:n]); err != nil {
			return err
		}
		hours = hours[n:]
	}
	return nil
}

// summedUp is the hours from from on and before to, by a block's summaries.
func summedUp(tx *bolt.Tx, bl *block, from, to probe.Instant) (hours []Hour, err error) {
	err = eachChunk(tx, bl, from, to, func(c *chunk) {
		for i := range c.list {
			m := &c.list[i]
			if m.Start < from || m.Start >= to {
				continue
			}
			at := floorTo(m.Start, hourMS)
			if n := len(hours); n == 0 || hours[n-1].Start != at {
				hours = append(hours, Hour{Start: at})
			}
			hours[len(hours)-1].add(m)
		}
	})
	for i := range hours {
		hours[i].quantise()
	}
	return hours, err
}

// quantise makes of an hour what its record keeps.
func (h *Hour) quantise() { hourFields(h, func(v int64) int64 { return v }) }

// putDay writes hours of a day among those that are there.
func putDay(tx *writeTx, bl *block, start probe.Instant, hours []Hour) error {
	k := dayKey(bl, start)
	if sealed := tx.Bucket(bucketHours).Get(k); sealed != nil {
		d, err := openDay(k, sealed, nil)
		if err != nil {
			return err
		}
		for i := range hours {
			d.put(&hours[i])
		}
		return tx.put(bucketHours, k, appendDay(nil, d))
	}
	return addDay(tx, bl, &day{start: start, hours: hours})
}

func (d *day) put(h *Hour) {
	at, found := slices.BinarySearchFunc(d.hours, h.Start, func(a Hour, t probe.Instant) int { return int(a.Start - t) })
	if found {
		d.hours[at] = *h
	} else {
		d.hours = slices.Insert(d.hours, at, *h)
	}
}

// addDay writes a new day and keeps up the chain of days.
func addDay(tx *writeTx, bl *block, d *day) error {
	bucket := tx.Bucket(bucketHours)
	bucket.FillPercent = 0.9 // a block's days are appended, between those of other blocks
	k := dayKey(bl, d.start)
	next, v := bucket.Cursor().Seek(k)
	if !bytes.HasPrefix(next, numberKey(bl.id)) {
		d.linked, d.before = bl.dated, bl.lastDay
		bl.dated, bl.lastDay, bl.touched = true, d.start, true
		return tx.put(bucketHours, k, appendDay(nil, d))
	}
	after, err := openDay(next, v, nil)
	if err != nil {
		return err
	}
	d.linked, d.before = after.linked, after.before
	after.linked, after.before = true, d.start
	return errors.Join(tx.put(bucketHours, bytes.Clone(next), appendDay(nil, after)), tx.put(bucketHours, k, appendDay(nil, d)))
}

// eachDay visits a block's days that may hold something of a time, and checks that none is missing among them. A day's
// hours are overwritten by the next.
func eachDay(tx *bolt.Tx, bl *block, from, to probe.Instant, visit func(d *day)) error {
	var room [24]Hour
	all := chain[*day]{
		bucket: bucketHours, keyOf: func(k key) []byte { return dayKey(bl, k.start) },
		open:  func(k, v []byte) (*day, error) { return openDay(k, v, room[:]) },
		begun: bl.dated, last: key{start: bl.lastDay}, lost: errDay,
	}
	return all.each(tx, bl, from, to, visit)
}

func (d *day) link() link { return link{d.linked, key{start: d.before}, key{start: d.start}} }

var errDay = errors.New("a day next to it is missing")

// Hours is a block's hours that start from from on and before to; with days whole days, in UTC.
func (s *Store) Hours(block string, from, to probe.Instant, days bool) ([]Hour, error) {
	found, lasts := []Hour{}, hourMS
	if days {
		lasts = dayMS
	}
	err := s.view(func(tx *bolt.Tx) error {
		found = found[:0]
		bl, err := readBlock(tx, block)
		if bl == nil {
			return err
		}
		return eachDay(tx, bl, from, to, func(d *day) {
			if len(found) == 0 {
				found = slices.Grow(found, max(int(min(bl.lastDay.Add(dayMS), to)-d.start)/lasts, 0))
			}
			if days && d.start >= from && d.start < to {
				found = append(found, d.sum())
			}
			for _, h := range d.hours {
				if !days && h.Start >= from && h.Start < to {
					found = append(found, h)
				}
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read hours of %s: %w", block, err)
	}
	return found, nil
}

// sum is the whole day.
func (d *day) sum() Hour {
	all := Hour{Start: d.start}
	for i := range d.hours {
		all.merge(&d.hours[i])
	}
	all.quantise()
	return all
}

// Rate is the share of the addresses that normally answer that did; 0 where there is none.
func (h *Hour) Rate() outage.Decimal {
	if !h.Rated() {
		return 0
	}
	return outage.Ratio(int64(h.Observed)*decimals, int64(h.Expected)*int64(h.Judged))
}

// Rated reports whether anything was expected in a round of it: else it has no rate.
func (h *Hour) Rated() bool { return h.Judged > 0 && h.Expected > 0 }

// blockOf reads the number of the block from a key.
func blockOf(k []byte) uint64 { return uint64(binary.BigEndian.Uint32(k)) }
