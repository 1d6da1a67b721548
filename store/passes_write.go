package store

import (
	"encoding/binary"

	"brownout/probe"
)

// appendPasses encodes what the protocols observed.
func appendPasses(b []byte, r *probe.Round, flags uint64) []byte {
	plan := plannerOf(r)
	if flags&flagUnsent != 0 {
		b = appendUnsent(b, r)
	}
	var gaps, offsets, rtts []uint64
	for i := range r.Passes {
		answers := r.Passes[i].Answers
		b = binary.AppendUvarint(b, uint64(len(answers)))
		last := int32(-1)
		for k := range answers {
			a := &answers[k]
			gaps = append(gaps, uint64(a.Target-last-1))
			offsets = append(offsets, offsetCode(a.Offset, plan.at(i, a.Target)))
			rtts = append(rtts, rttCode(a.RTT))
			last = a.Target
		}
	}
	b = appendColumn(b, gaps, 0)
	b = appendOutcomes(b, r)
	b = appendColumn(b, offsets, 0)
	b = appendColumn(b, rtts, 1) // so that no record claims more answers than it has bits
	if flags&flagFirsts != 0 {
		b = appendFirsts(b, r, plan)
	}
	if flags&flagErrors != 0 {
		b = appendErrors(b, r)
	}
	if flags&flagSilent != 0 {
		b = appendSilent(b, r, plan)
	}
	return b
}

// appendOutcomes writes runs of equal outcomes over all answers: (length - 1) <<3 | outcome.
func appendOutcomes(b []byte, r *probe.Round) []byte {
	run, outcome := uint64(0), probe.Outcome(0)
	flush := func() {
		if run > 0 {
			b = binary.AppendUvarint(b, (run-1)<<3|uint64(outcome))
		}
	}
	for i := range r.Passes {
		for _, a := range r.Passes[i].Answers {
			if a.Outcome != outcome {
				flush()
				run, outcome = 0, a.Outcome
			}
			run++
		}
	}
	flush()
	return b
}

// appendUnsent writes runs of unsent targets: their number per pass, then columns of the gaps before them and of their
// lengths - 1.
func appendUnsent(b []byte, r *probe.Round) []byte {
	var gaps, lengths []uint64
	for i := range r.Passes {
		runs, next := 0, int32(0)
		for _, u := range r.Passes[i].Unsent {
			if u > next || runs == 0 {
				gaps, lengths = append(gaps, uint64(u-next)), append(lengths, 0)
				runs++
			} else {
				lengths[len(lengths)-1]++
			}
			next = u + 1
		}
		b = binary.AppendUvarint(b, uint64(runs))
	}
	b = appendColumn(b, gaps, 0)
	return appendColumn(b, lengths, 0)
}

// appendSilent writes a bit per pass, whether it has SilentMS, and then one column of them all.
func appendSilent(b []byte, r *probe.Round, plan planner) []byte {
	var codes []uint64
	for i := range r.Passes {
		p := &r.Passes[i]
		if len(p.SilentMS) == 0 {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		k := 0
		for target := range p.Silent() {
			codes = append(codes, offsetCode(p.SilentMS[k], plan.at(i, target)))
			k++
		}
	}
	return appendColumn(b, codes, 1)
}

// appendSparse writes the positions, among all answers, of those that pick holds for.
func appendSparse(b []byte, r *probe.Round, pick func(pass int, a *probe.Answer) bool) []byte {
	var gaps []uint64
	at, last := 0, -1
	for i := range r.Passes {
		for k := range r.Passes[i].Answers {
			if pick(i, &r.Passes[i].Answers[k]) {
				gaps = append(gaps, uint64(at-last-1))
				last = at
			}
			at++
		}
	}
	b = binary.AppendUvarint(b, uint64(len(gaps)))
	return appendColumn(b, gaps, 0)
}

func appendFirsts(b []byte, r *probe.Round, plan planner) []byte {
	var codes []uint64
	b = appendSparse(b, r, func(pass int, a *probe.Answer) bool {
		if a.First == probe.UnknownOffset {
			return false
		}
		codes = append(codes, offsetCode(a.First, plan.at(pass, a.Target)))
		return true
	})
	return appendColumn(b, codes, 0)
}

// appendErrors writes which answers have an ICMP error's type, code or sender, and which.
func appendErrors(b []byte, r *probe.Round) []byte {
	table := newEvidenceTable()
	b = appendSparse(b, r, func(_ int, a *probe.Answer) bool {
		e := evidenceOf(a)
		if e == (evidence{}) {
			return false
		}
		table.add(e)
		return true
	})
	return table.append(b)
}
