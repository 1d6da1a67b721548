package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"brownout/probe"
)

// A pack is a run of sealed rounds in one value, under the key of its first. Rounds of one frame are kept by service, for a
// service's RTTs hardly differ from round to round:
//
//	version 1 byte, then 1 and the key of the round before it, or 0
//	the last round: milliseconds from the first start uvarint, kind 1 byte
//	number of rounds uvarint; columns of the gaps between their starts, of their kinds, of their groups (0: odd)
//	odd rounds, each: length uvarint, record of version 1
//	number of groups uvarint; each as packgroup.go has it
//
// A round is odd where something in it is rare: then it is kept as it stood. Equal packs are equal bytes.
const packVersion = 2

// maxPack is how many rounds a pack holds at most.
const maxPack = 256

// packHead is what can be known of a pack without decoding it.
type packHead struct {
	linked      bool // whether a round stands before it
	before      key  // that round
	first, last key
	body        []byte // what follows the head
}

// pack is a pack taken apart; its rounds are put together one at a time.
type pack struct {
	packHead
	keys   []key
	group  []int // of each round: its group's number from 1 up, or 0
	within []int // of each round: its place in the group, or among the odd ones
	odd    []*probe.Round
	groups []*packGroup
}

func appendPackHead(b []byte, h *packHead) []byte {
	b = append(b, packVersion)
	if h.linked {
		b = append(append(b, 1), h.before.bytes()...)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(h.last.start-h.first.start))
	return append(b, byte(h.last.kind))
}

// readPackHead reads the head of the pack that stands under first.
func readPackHead(b []byte, first key) (h packHead, err error) {
	in := reader{b: b}
	if v := in.byte(); v != packVersion && in.err == nil {
		return h, fmt.Errorf("pack encoding %d is not known", v)
	}
	h.first = first
	if h.linked = in.truth(); h.linked {
		h.before = in.key()
	}
	h.last.start = first.start.Add(int64(in.uvarint()))
	h.last.kind = probe.Kind(in.byte())
	h.body = in.b
	return h, in.err
}

// isPack tells a pack from a single round.
func isPack(value []byte) bool { return len(value) > 0 && value[0] == packVersion }

// oddFlags are those of what no group keeps.
const oddFlags = flagWindows | flagSlack | flagUntil | flagUnsent | flagSilent

// appendPack encodes a run of sealed rounds, each of which names the one before it.
func appendPack(b []byte, run []*record, f *frames) ([]byte, error) {
	first, last := run[0], run[len(run)-1]
	b = appendPackHead(b, &packHead{linked: first.linked, before: first.before, first: keyOf(first.round), last: keyOf(last.round)})
	b = binary.AppendUvarint(b, uint64(len(run)))
	var gaps, kinds, numbers []uint64
	var odd []*record
	var groups groupList
	before := first.round.Start
	for _, rec := range run {
		gaps = append(gaps, uint64(rec.round.Start-before))
		kinds = append(kinds, uint64(rec.round.Kind))
		before = rec.round.Start
		number, err := groups.add(rec, f)
		if err != nil {
			return nil, err
		}
		if number == 0 {
			odd = append(odd, rec)
		}
		numbers = append(numbers, number)
	}
	b = appendColumn(b, gaps, 0)
	b = appendColumn(b, kinds, 0)
	b = appendColumn(b, numbers, 0)
	for _, rec := range odd {
		value, err := appendRecord(nil, &record{round: rec.round, sealed: true}, f)
		if err != nil {
			return nil, err
		}
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	b = binary.AppendUvarint(b, uint64(len(groups.list)))
	for _, g := range groups.list {
		b = g.append(b)
	}
	return b, nil
}

// groupList is the groups of a pack, in order of appearance.
type groupList struct{ list []*groupDraft }

// add finds a round's group, or makes it: its number is from 1 up, and 0 for an odd round.
func (l *groupList) add(rec *record, f *frames) (uint64, error) {
	if err := encodable(rec.round); err != nil {
		return 0, err
	}
	id, err := f.frameID(rec.round)
	if err != nil {
		return 0, err
	}
	flags := recordFlags(rec)
	if flags&oddFlags != 0 {
		return 0, nil
	}
	for i, g := range l.list {
		if g.frame == id {
			g.add(rec.round, flags)
			return uint64(i + 1), nil
		}
	}
	g := &groupDraft{frame: id}
	g.add(rec.round, flags)
	l.list = append(l.list, g)
	return uint64(len(l.list)), nil
}

// decodePack takes apart the pack that stands under first. It shares nothing with b.
func decodePack(b []byte, first key, f *frames) (*pack, error) {
	h, err := readPackHead(b, first)
	if err != nil {
		return nil, err
	}
	p := &pack{packHead: h}
	in := reader{b: h.body}
	p.body = nil
	if err := p.readKeys(&in); err != nil {
		return nil, err
	}
	if err := p.readOdd(&in, f); err != nil {
		return nil, err
	}
	sizes := p.groupSizes()
	if n := in.count(len(p.keys)); in.err == nil && n != len(sizes) {
		return nil, errors.New("has another number of groups")
	}
	for _, size := range sizes {
		g, err := readGroup(&in, size, f)
		if err != nil {
			return nil, err
		}
		p.groups = append(p.groups, g)
	}
	return p, in.end()
}

func (p *pack) readKeys(in *reader) error {
	n := in.count(maxPack)
	gaps, kinds, numbers := in.column(n, 0), in.column(n, 0), in.column(n, 0)
	if in.err != nil || n == 0 {
		return cmpErr(in.err, errors.New("holds no rounds"))
	}
	at := p.first.start
	places := map[uint64]int{}
	for i := range n {
		if kinds[i] > uint64(probe.Confirm) || numbers[i] > uint64(n) {
			return errors.New("names no kind, or no group")
		}
		at = at.Add(int64(gaps[i]))
		p.keys = append(p.keys, key{at, probe.Kind(kinds[i])})
		p.group = append(p.group, int(numbers[i]))
		p.within = append(p.within, places[numbers[i]])
		places[numbers[i]]++
		if i > 0 && p.keys[i-1].compare(p.keys[i]) >= 0 {
			return errors.New("its rounds are out of order")
		}
	}
	if p.keys[0] != p.first || p.keys[n-1] != p.last {
		return errors.New("stands under another key")
	}
	return nil
}

// groupSizes is how many rounds each group has.
func (p *pack) groupSizes() []int {
	var sizes []int
	for _, g := range p.group {
		for len(sizes) < g {
			sizes = append(sizes, 0)
		}
		if g > 0 {
			sizes[g-1]++
		}
	}
	return sizes
}

func (p *pack) readOdd(in *reader, f *frames) error {
	for i, g := range p.group {
		if g != 0 {
			continue
		}
		rec, err := decodeRecord(in.bytes(in.count(len(in.b))), p.keys[i], f)
		if err = cmpErr(in.err, err); err != nil {
			return err
		}
		if !rec.sealed || rec.linked {
			return errors.New("holds a round that is not sealed")
		}
		p.odd = append(p.odd, rec.round)
	}
	return nil
}

// record puts the ith round together.
func (p *pack) record(i int) (*record, error) {
	rec := &record{sealed: true, linked: p.linked, before: p.before}
	if i > 0 {
		rec.linked, rec.before = true, p.keys[i-1]
	}
	if p.group[i] == 0 {
		rec.round = p.odd[p.within[i]]
		return rec, nil
	}
	r, err := p.groups[p.group[i]-1].round(p.within[i], p.keys[i])
	rec.round = r
	return rec, err
}

// records puts all of them together.
func (p *pack) records() ([]*record, error) {
	all := make([]*record, len(p.keys))
	for i := range all {
		var err error
		if all[i], err = p.record(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}
