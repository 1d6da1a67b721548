package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"brownout/probe"
)

// A group is the rounds of a pack that have one frame:
//
//	frame uvarint, a byte of groupFirsts and groupErrors
//	columns, over the rounds: flags, End - Start - Span in milliseconds zigzag; seeds, 8 bytes each where flagSeed is set
//	services, those (pass, target) that ever answered: how many a pass uvarint; column of the gaps between targets
//	column of each service's usual outcome + 1, 0 being silence
//	what was otherwise: how many uvarint, column of the gaps between them in the table of services by rounds, column of
//	usual XOR outcome + 1
//	a column of RTTs for each service; one column of offsets from the plan, over all answers
//	answers with First: how many uvarint, column of gaps, column of codes
//	answers with ICMP errors: how many uvarint, column of gaps, the distinct ones, column of which
//
// An answer's place is that in the table, counting answers only.

const (
	groupFirsts = 1 << iota
	groupErrors
)

// groupFlags are the flags of a round that a group keeps.
const groupFlags = flagSeeded | flagSeed | flagVantageBad | flagUnverified

// groupDraft is a group that is being put together.
type groupDraft struct {
	frame  uint64
	rounds []*probe.Round
	flags  []uint64
}

func (g *groupDraft) add(r *probe.Round, flags uint64) {
	g.rounds = append(g.rounds, r)
	g.flags = append(g.flags, flags)
}

// cell is a service's answer in a round; nil: it was silent.
type cell = *probe.Answer

// append encodes the group.
func (g *groupDraft) append(b []byte) []byte {
	var all uint64
	for _, f := range g.flags {
		all |= f
	}
	forms := byte(0)
	if all&flagFirsts != 0 {
		forms |= groupFirsts
	}
	if all&flagErrors != 0 {
		forms |= groupErrors
	}
	b = binary.AppendUvarint(b, g.frame)
	b = append(b, forms)
	b = g.appendRounds(b)
	b, passes, cells := g.appendServices(b)
	b = appendOutcomeTable(b, cells, len(g.rounds))
	return g.appendAnswers(b, passes, cells, forms)
}

func (g *groupDraft) appendRounds(b []byte) []byte {
	var flags, ends []uint64
	for i, r := range g.rounds {
		flags = append(flags, g.flags[i]&groupFlags)
		ends = append(ends, zigzag(int64(r.End-r.Start)-r.Span.Milliseconds()))
	}
	b = appendColumn(b, flags, 0)
	b = appendColumn(b, ends, 0)
	for i, r := range g.rounds {
		if g.flags[i]&flagSeed != 0 {
			b = binary.LittleEndian.AppendUint64(b, r.Seed)
		}
	}
	return b
}

// appendServices writes who ever answered, and gives the pass of each such service and their table of answers.
func (g *groupDraft) appendServices(b []byte) (_ []byte, passes []int, cells []cell) {
	var gaps []uint64
	n := len(g.rounds)
	for i := range g.rounds[0].Passes {
		ever := make([]bool, g.rounds[0].Passes[i].Targets.Len())
		for _, r := range g.rounds {
			for k := range r.Passes[i].Answers {
				ever[r.Passes[i].Answers[k].Target] = true
			}
		}
		row := make([]int, len(ever)) // of each target
		last, count := -1, 0
		for t, on := range ever {
			if on {
				row[t] = len(passes)
				passes = append(passes, i)
				gaps = append(gaps, uint64(t-last-1))
				last = t
				count++
			}
		}
		b = binary.AppendUvarint(b, uint64(count))
		cells = append(cells, make([]cell, count*n)...)
		for j, r := range g.rounds {
			for k := range r.Passes[i].Answers {
				a := &r.Passes[i].Answers[k]
				cells[row[a.Target]*n+j] = a
			}
		}
	}
	return appendColumn(b, gaps, 0), passes, cells
}

// outcomeCode is an outcome + 1; silence is 0.
func outcomeCode(c cell) uint8 {
	if c == nil {
		return 0
	}
	return uint8(c.Outcome) + 1
}

// appendOutcomeTable writes what each of the rows usually is, and what was otherwise.
func appendOutcomeTable(b []byte, cells []cell, n int) []byte {
	var usual, gaps, codes []uint64
	last := -1
	for from := 0; from < len(cells); from += n {
		mode := modeOf(cells[from : from+n])
		usual = append(usual, uint64(mode))
		for at := from; at < from+n; at++ {
			if code := outcomeCode(cells[at]); code != mode {
				gaps = append(gaps, uint64(at-last-1))
				codes = append(codes, uint64(code^mode))
				last = at
			}
		}
	}
	b = appendColumn(b, usual, 0)
	b = binary.AppendUvarint(b, uint64(len(gaps)))
	b = appendColumn(b, gaps, 0)
	return appendColumn(b, codes, 0)
}

// modeOf is the most frequent outcome code, and of those the smallest.
func modeOf(row []cell) (mode uint8) {
	var count [8]int
	for _, c := range row {
		count[outcomeCode(c)&7]++
	}
	for code := range count {
		if count[code] > count[mode] {
			mode = uint8(code)
		}
	}
	return mode
}

// appendAnswers writes the answers' RTTs, send times and what is rare of them.
func (g *groupDraft) appendAnswers(b []byte, passes []int, cells []cell, forms byte) []byte {
	n := len(g.rounds)
	plans := make([]planner, n)
	for j, r := range g.rounds {
		plans[j] = plannerOf(r)
	}
	var offsets, rtts, codes []uint64
	var firsts, errs sparseDraft
	table := newEvidenceTable()
	for s, pass := range passes {
		rtts = rtts[:0]
		for j := range n {
			a := cells[s*n+j]
			if a == nil {
				continue
			}
			rtts = append(rtts, rttCode(a.RTT))
			at := len(offsets)
			offsets = append(offsets, offsetCode(a.Offset, plans[j].at(pass, a.Target)))
			if a.First != probe.UnknownOffset {
				firsts.add(at)
				codes = append(codes, offsetCode(a.First, plans[j].at(pass, a.Target)))
			}
			if e := evidenceOf(a); e != (evidence{}) {
				errs.add(at)
				table.add(e)
			}
		}
		b = appendColumn(b, rtts, 1)
	}
	b = appendColumn(b, offsets, 0)
	if forms&groupFirsts != 0 {
		b = appendColumn(firsts.append(b), codes, 0)
	}
	if forms&groupErrors != 0 {
		b = table.append(errs.append(b))
	}
	return b
}

// sparseDraft is ascending places.
type sparseDraft struct {
	gaps []uint64
	next int
}

func (s *sparseDraft) add(at int) {
	s.gaps = append(s.gaps, uint64(at-s.next))
	s.next = at + 1
}

func (s *sparseDraft) append(b []byte) []byte {
	return appendColumn(binary.AppendUvarint(b, uint64(len(s.gaps))), s.gaps, 0)
}

// packGroup is a group taken apart.
type packGroup struct {
	fr     frame
	space  probe.Space
	target []probe.Space // of each pass
	flags  []uint64
	ends   []int64
	seeds  []uint64 // of each round; 0: none

	first  []int    // of each pass, its first service; one more at the end
	index  []int32  // of each service: its target
	codes  []uint8  // services by rounds: outcome + 1, 0 being silence
	place  []uint32 // services by rounds: the answer's place
	from   []int    // of each service: the place of its first answer; one more at the end
	rtts   []rttColumn
	offset []uint64
	rare   map[uint32]rarity // by place
}

// rttColumn is a service's RTTs, which are decoded when they are asked for: most who ask want one service.
type rttColumn struct {
	raw   []byte
	codes []uint64
}

// rtt is the RTT of the answer in a place of a service's.
func (g *packGroup) rtt(s int, place uint32) (uint32, error) {
	c := &g.rtts[s]
	if c.codes == nil {
		in := reader{b: c.raw}
		c.codes = in.column(g.from[s+1]-g.from[s], 1)
		if err := in.end(); err != nil {
			return 0, err
		}
	}
	return rttOf(c.codes[int(place)-g.from[s]])
}

// rarity is what few answers have.
type rarity struct {
	first    uint64 // code; 0: none
	evidence evidence
}

var errTable = errors.New("names a place that is not there")

func readGroup(in *reader, n int, f *frames) (*packGroup, error) {
	fr, ok := f.frame(in.uvarint())
	if in.err == nil && !ok {
		return nil, errors.New("names no frame")
	}
	g := &packGroup{fr: fr}
	forms := in.byte()
	if forms&^(groupFirsts|groupErrors) != 0 {
		return nil, fmt.Errorf("unknown forms %#x", forms)
	}
	if g.space, ok = f.space(fr.space); !ok && in.err == nil {
		return nil, errors.New("names no space")
	}
	for _, p := range fr.passes {
		t, ok := f.space(p.targets)
		if !ok {
			return nil, errors.New("names no target set")
		}
		g.target = append(g.target, t)
	}
	g.readRounds(in, n)
	if err := g.readServices(in); err != nil {
		return nil, err
	}
	if err := g.readOutcomes(in, n); err != nil {
		return nil, err
	}
	return g, g.readAnswers(in, n, forms)
}

func (g *packGroup) readRounds(in *reader, n int) {
	g.flags = in.column(n, 0)
	for _, v := range in.column(n, 0) {
		g.ends = append(g.ends, unzigzag(v))
	}
	g.seeds = make([]uint64, n)
	for i, f := range g.flags {
		if f&^uint64(groupFlags) != 0 {
			in.fail(fmt.Errorf("unknown flags %#x", f))
		}
		if f&flagSeed != 0 {
			g.seeds[i] = in.uint64()
		}
	}
}

func (g *packGroup) readServices(in *reader) error {
	total := 0
	g.first = append(g.first, 0)
	for i := range g.target {
		total += in.count(g.target[i].Len())
		g.first = append(g.first, total)
	}
	gaps := in.column(total, 0)
	if in.err != nil {
		return in.err
	}
	g.index = make([]int32, total)
	for i := range g.target {
		next, end := uint64(0), uint64(g.target[i].Len())
		for s := g.first[i]; s < g.first[i+1]; s++ {
			if gaps[s] >= end || next+gaps[s] >= end {
				return errTarget
			}
			next += gaps[s]
			g.index[s] = int32(next)
			next++
		}
	}
	return nil
}

func (g *packGroup) readOutcomes(in *reader, n int) error {
	usual := in.column(len(g.index), 0)
	others := in.count(len(g.index) * n)
	gaps, codes := in.column(others, 0), in.column(others, 0)
	if in.err != nil {
		return in.err
	}
	g.codes = make([]uint8, len(g.index)*n)
	for s, mode := range usual {
		for at := s * n; at < (s+1)*n; at++ {
			g.codes[at] = uint8(min(mode, 255))
		}
	}
	next := uint64(0)
	for i, gap := range gaps {
		if gap >= uint64(len(g.codes)) || next+gap >= uint64(len(g.codes)) {
			return errTable
		}
		g.codes[next+gap] ^= uint8(min(codes[i], 255))
		next += gap + 1
	}
	for _, code := range g.codes {
		if o := probe.Outcome(code - 1); code != 0 && (o == probe.Timeout || o >= probe.Unsent) {
			return errors.New("malformed outcomes")
		}
	}
	return nil
}

func (g *packGroup) readAnswers(in *reader, n int, forms byte) error {
	g.place = make([]uint32, len(g.codes))
	g.rtts = make([]rttColumn, len(g.index))
	g.from = make([]int, len(g.index)+1)
	answers := 0
	for s := range g.index {
		g.from[s] = answers
		for at := s * n; at < (s+1)*n; at++ {
			if g.codes[at] != 0 {
				g.place[at] = uint32(answers)
				answers++
			}
		}
		g.rtts[s].raw = bytes.Clone(in.skipColumn(answers-g.from[s], 1))
		if in.err != nil {
			return in.err
		}
	}
	g.from[len(g.index)] = answers
	g.offset = in.column(answers, 0)
	g.rare = map[uint32]rarity{}
	if forms&groupFirsts != 0 {
		if err := g.readFirsts(in); err != nil {
			return err
		}
	}
	if forms&groupErrors != 0 {
		return g.readErrors(in)
	}
	return in.err
}

// places reads ascending places of answers.
func (g *packGroup) places(in *reader) []uint32 {
	n := in.count(len(g.offset))
	var out []uint32
	next := uint64(0)
	for _, gap := range in.column(n, 0) {
		if gap >= uint64(len(g.offset)) || next+gap >= uint64(len(g.offset)) {
			in.fail(errTable)
			return nil
		}
		out = append(out, uint32(next+gap))
		next += gap + 1
	}
	return out
}

func (g *packGroup) readFirsts(in *reader) error {
	places := g.places(in)
	for i, code := range in.column(len(places), 0) {
		g.rare[places[i]] = rarity{first: code + 1}
	}
	return in.err
}

func (g *packGroup) readErrors(in *reader) error {
	places := g.places(in)
	list, ids := readEvidence(in, len(places))
	for i, id := range ids {
		if id >= uint64(len(list)) {
			return errors.New("names an ICMP error that is not there")
		}
		r := g.rare[places[i]]
		r.evidence = list[id]
		g.rare[places[i]] = r
	}
	return in.err
}

// head is the jth round without its answers.
func (g *packGroup) head(j int, k key) *probe.Round {
	r := &probe.Round{
		Kind: k.kind, Start: k.start, Span: g.fr.span, Timeout: g.fr.timeout, Scale: g.fr.scale, Vantage: g.fr.vantage,
		Space: g.space, Seed: g.seeds[j], Seeded: g.flags[j]&flagSeeded != 0,
		VantageOK: g.flags[j]&flagVantageBad == 0, Unverified: g.flags[j]&flagUnverified != 0,
	}
	r.End = r.Start.Add(g.ends[j] + r.Span.Milliseconds())
	for i, p := range g.fr.passes {
		r.Passes = append(r.Passes, probe.Pass{Protocol: p.protocol, Targets: g.target[i]})
	}
	return r
}

// round puts the jth round together.
func (g *packGroup) round(j int, k key) (*probe.Round, error) {
	r := g.head(j, k)
	plan := plannerOf(r)
	n := len(g.flags)
	for i := range r.Passes {
		p := &r.Passes[i]
		for s := g.first[i]; s < g.first[i+1]; s++ {
			if g.codes[s*n+j] == 0 {
				continue
			}
			a, err := g.answer(s, j, plan.at(i, g.index[s]))
			if err != nil {
				return nil, err
			}
			if p.Answers == nil {
				p.Answers = make([]probe.Answer, 0, g.first[i+1]-s)
			}
			p.Answers = append(p.Answers, a)
		}
	}
	return r, nil
}

// answer is a service's answer in the jth round.
func (g *packGroup) answer(s, j int, planned int32) (a probe.Answer, err error) {
	at := s*len(g.flags) + j
	place := g.place[at]
	a = probe.Answer{Target: g.index[s], Outcome: probe.Outcome(g.codes[at] - 1), First: probe.UnknownOffset}
	if a.Offset, err = offsetOf(g.offset[place], planned); err != nil {
		return a, err
	}
	if a.RTT, err = g.rtt(s, place); err != nil {
		return a, err
	}
	if len(g.rare) == 0 {
		return a, nil
	}
	if r := g.rare[place]; r != (rarity{}) {
		a.Type, a.Code, a.From = r.evidence.icmpType, r.evidence.code, r.evidence.from
		if r.first > 0 {
			a.First, err = offsetOf(r.first-1, planned)
		}
	}
	return a, err
}
