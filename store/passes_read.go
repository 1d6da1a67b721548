package store

import (
	"errors"

	"brownout/probe"
)

// decodePasses fills r.Space and r.Passes.
func decodePasses(in *reader, r *probe.Round, fr *frame, flags uint64, f *frames) error {
	var ok bool
	if r.Space, ok = f.space(fr.space); !ok {
		return errors.New("names no space")
	}
	if len(fr.passes) > 0 {
		r.Passes = make([]probe.Pass, len(fr.passes))
	}
	for i := range r.Passes {
		p := &r.Passes[i]
		p.Protocol = fr.passes[i].protocol
		if p.Targets, ok = f.space(fr.passes[i].targets); !ok {
			return errors.New("names no target set")
		}
	}
	if flags&flagUnsent != 0 {
		if err := decodeUnsent(in, r); err != nil {
			return err
		}
	}
	plan := plannerOf(r)
	if err := decodeAnswers(in, r, plan); err != nil {
		return err
	}
	if flags&flagFirsts != 0 {
		if err := decodeFirsts(in, r, plan); err != nil {
			return err
		}
	}
	if flags&flagErrors != 0 {
		if err := decodeErrors(in, r); err != nil {
			return err
		}
	}
	if flags&flagSilent != 0 {
		return decodeSilent(in, r, plan)
	}
	return nil
}

var errTarget = errors.New("names a target that is not there, or twice")

func decodeUnsent(in *reader, r *probe.Round) error {
	runs := make([]int, len(r.Passes))
	total := 0
	for i := range r.Passes {
		runs[i] = in.count(r.Passes[i].Targets.Len())
		total += runs[i]
	}
	gaps, lengths := in.column(total, 0), in.column(total, 0)
	if in.err != nil {
		return in.err
	}
	for i := range r.Passes {
		p := &r.Passes[i]
		next, end := uint64(0), uint64(p.Targets.Len())
		for k := range runs[i] {
			gap, length := gaps[k], lengths[k]
			if gap > end || length >= end || next+gap+length >= end {
				return errTarget
			}
			for range length + 1 {
				p.Unsent = append(p.Unsent, int32(next+gap))
				next++
			}
			next += gap
		}
		gaps, lengths = gaps[runs[i]:], lengths[runs[i]:]
	}
	return nil
}

func decodeAnswers(in *reader, r *probe.Round, plan planner) error {
	counts := make([]int, len(r.Passes))
	total := 0
	for i := range r.Passes {
		counts[i] = in.count(min(r.Passes[i].Targets.Len(), 8*len(in.b)))
		total += counts[i]
	}
	if total > 8*len(in.b) {
		return errShort
	}
	gaps := in.column(total, 0)
	outcomes := decodeOutcomes(in, total)
	offsets, rtts := in.column(total, 0), in.column(total, 1)
	if in.err != nil {
		return in.err
	}
	at := 0
	for i := range r.Passes {
		p := &r.Passes[i]
		if counts[i] > 0 {
			p.Answers = make([]probe.Answer, counts[i])
		}
		next, end := uint64(0), uint64(p.Targets.Len())
		for k := range p.Answers {
			a := &p.Answers[k]
			if gaps[at] > end || next+gaps[at] >= end {
				return errTarget
			}
			next += gaps[at]
			*a = probe.Answer{Target: int32(next), Outcome: outcomes[at], First: probe.UnknownOffset}
			next++
			var errOffset, errRTT error
			a.Offset, errOffset = offsetOf(offsets[at], plan.at(i, a.Target))
			a.RTT, errRTT = rttOf(rtts[at])
			if errOffset != nil || errRTT != nil {
				return errors.Join(errOffset, errRTT)
			}
			at++
		}
	}
	return disjoint(r)
}

// disjoint checks that no target both answered and is unsent.
func disjoint(r *probe.Round) error {
	for i := range r.Passes {
		unsent := r.Passes[i].Unsent
		for _, a := range r.Passes[i].Answers {
			for len(unsent) > 0 && unsent[0] < a.Target {
				unsent = unsent[1:]
			}
			if len(unsent) > 0 && unsent[0] == a.Target {
				return errTarget
			}
		}
	}
	return nil
}

func decodeOutcomes(in *reader, n int) []probe.Outcome {
	outcomes := make([]probe.Outcome, 0, n)
	for len(outcomes) < n && in.err == nil {
		run := in.uvarint()
		outcome := probe.Outcome(run & 7)
		if outcome == probe.Timeout || outcome >= probe.Unsent || run>>3 >= uint64(n-len(outcomes)) {
			in.fail(errors.New("malformed outcomes"))
			break
		}
		for range run>>3 + 1 {
			outcomes = append(outcomes, outcome)
		}
	}
	return outcomes
}

// sparse visits the answers that appendSparse picked, with the passes that they are of, and the k-th such.
func sparse(in *reader, r *probe.Round, values func(n int) ([]uint64, error), set func(pass int, a *probe.Answer, v uint64) error) error {
	answers := 0
	for i := range r.Passes {
		answers += len(r.Passes[i].Answers)
	}
	n := in.count(answers)
	gaps := in.column(n, 0)
	vs, err := values(n)
	if err != nil || in.err != nil {
		return errors.Join(err, in.err)
	}
	pass, passed, next := 0, 0, uint64(0)
	for k := range n {
		if gaps[k] > uint64(answers) || next+gaps[k] >= uint64(answers) {
			return errors.New("names an answer that is not there")
		}
		at := int(next + gaps[k])
		next = uint64(at) + 1
		for at-passed >= len(r.Passes[pass].Answers) {
			passed += len(r.Passes[pass].Answers)
			pass++
		}
		if err := set(pass, &r.Passes[pass].Answers[at-passed], vs[k]); err != nil {
			return err
		}
	}
	return nil
}

func decodeFirsts(in *reader, r *probe.Round, plan planner) error {
	values := func(n int) ([]uint64, error) { return in.column(n, 0), in.err }
	return sparse(in, r, values, func(pass int, a *probe.Answer, code uint64) (err error) {
		a.First, err = offsetOf(code, plan.at(pass, a.Target))
		return err
	})
}

func decodeErrors(in *reader, r *probe.Round) error {
	var distinct []evidence
	values := func(n int) (ids []uint64, err error) {
		distinct, ids = readEvidence(in, n)
		return ids, in.err
	}
	return sparse(in, r, values, func(_ int, a *probe.Answer, id uint64) error {
		if id >= uint64(len(distinct)) {
			return errors.New("names an ICMP error that is not there")
		}
		a.Type, a.Code, a.From = distinct[id].icmpType, distinct[id].code, distinct[id].from
		return nil
	})
}

func decodeSilent(in *reader, r *probe.Round, plan planner) error {
	counts := make([]int, len(r.Passes))
	total := 0
	for i := range r.Passes {
		p := &r.Passes[i]
		switch in.byte() {
		case 0:
		case 1:
			counts[i] = p.Targets.Len() - len(p.Unsent) - len(p.Answers)
			total += counts[i]
		default:
			return errors.New("malformed send times of the silent")
		}
	}
	if total > 8*len(in.b) {
		return errShort
	}
	codes := in.column(total, 1)
	if in.err != nil {
		return in.err
	}
	for i := range r.Passes {
		p := &r.Passes[i]
		if counts[i] == 0 {
			continue
		}
		p.SilentMS = make([]int32, 0, counts[i])
		for target := range p.Silent() {
			at, err := offsetOf(codes[len(p.SilentMS)], plan.at(i, target))
			if err != nil {
				return err
			}
			p.SilentMS = append(p.SilentMS, at)
		}
		codes = codes[counts[i]:]
	}
	return nil
}
