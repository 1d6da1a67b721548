package web

import (
	"fmt"
	"iter"
	"net/url"
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// outageView is all of one outage.
type outageView struct {
	outageRow
	Part         *outageRow  // the space's outage that it is part of
	Parts        []outageRow // those of blocks that are part of it
	Moments      []moment    // before, during, after
	Counts       []countRow
	Since, Until probe.Instant // of the figure
	Rounds       []RoundInfo   // the evidence
	Vantage      string        // that they were observed from; "": not known
	Path         string        // escaped ID
	Block        string        // escaped
}

// moment is a full round to look at.
type moment struct {
	Name  string
	Start probe.Instant
	End   probe.Instant
	RTT   string
}

// countRow is how many addresses of a block answered by a protocol, in each of the moments.
type countRow struct {
	Block, Protocol string
	Counts          []string
}

func escape(s string) string { return url.QueryEscape(s) }

func (h *handler) outagePage(a *answer) error {
	o, err := h.askedOutage(a)
	if err != nil {
		return err
	}
	space, err := h.spaceName()
	if err != nil {
		return err
	}
	now := probe.InstantOf(h.opt.Now())
	v := &outageView{outageRow: rowOf(*o, space, now), Path: url.PathEscape(o.ID), Block: escape(o.Block)}
	v.Since, v.Until = around(o, now)
	for _, fill := range []func(*answer, *outageView) error{h.fillParts, h.fillMoments, h.fillEvidence} {
		if err := fill(a, v); err != nil {
			return err
		}
	}
	title := fmt.Sprintf("%s outage of %s", o.Kind, v.Name)
	return h.show(a, "outage.html", page{Title: title, Path: "/outages", Script: true, Body: v})
}

// around is the time that an outage's figure shows: itself, and as much before and after, within bounds. The lower is of some ten
// rounds: in two hours of rounds of seconds an outage of a minute would be a stroke.
func around(o *outage.Outage, now probe.Instant) (from, to probe.Instant) {
	end := now
	if o.End != nil {
		end = o.End.Latest
	}
	const most = 3 * dayMS
	least := int64(2 * 3600_000)
	if p := o.Power.TotalAfter; p > 0 {
		least = min(least, 10*1000*int64(p))
	}
	margin := min(max(int64(end-o.Start.At)/2, least), most)
	return o.Start.Earliest.Add(-margin), min(end.Add(margin), max(now, end))
}

func (h *handler) fillParts(_ *answer, v *outageView) error {
	all, err := h.src.Outages()
	if err != nil {
		return err
	}
	slices.SortFunc(all, outage.CompareOutages)
	now := probe.InstantOf(h.opt.Now())
	for _, o := range all {
		if v.PartOf != nil && o.ID == *v.PartOf {
			row := rowOf(o, v.Name, now)
			v.Part = &row
		}
		if o.PartOf != nil && *o.PartOf == v.ID {
			v.Parts = append(v.Parts, rowOf(o, v.Name, now))
		}
	}
	return nil
}

// fillMoments finds the rounds before, during and after, and counts who answered in them.
func (h *handler) fillMoments(a *answer, v *outageView) error {
	rounds, err := h.momentsOf(a, &v.Outage)
	if err != nil {
		return err
	}
	bits, _, err := h.judgedBy()
	if err != nil {
		return err
	}
	d := &tallyDay{counts: map[tallyKey][]int32{}}
	for i, name := range []string{"before", "during", "after"} {
		r := rounds[i]
		if r == nil {
			continue
		}
		d.add(r, bits)
		v.Moments = append(v.Moments, moment{Name: name, Start: r.Start, End: r.End, RTT: rttWords(medianRTT(r))})
	}
	keys := make([]tallyKey, 0, len(d.counts))
	for k := range d.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareTally)
	for _, k := range keys {
		row := countRow{Block: k.block, Protocol: k.protocol.String()}
		for _, n := range d.counts[k] {
			count := "–"
			if n != notAsked {
				count = fmt.Sprint(n)
			}
			row.Counts = append(row.Counts, count)
		}
		v.Counts = append(v.Counts, row)
	}
	return nil
}

// compareTally orders the space before its blocks.
func compareTally(a, b tallyKey) int {
	switch {
	case a.block == b.block:
		return a.protocol.Compare(b.protocol)
	case a.block == outage.SpaceBlock:
		return -1
	case b.block == outage.SpaceBlock || a.block > b.block:
		return 1
	}
	return -1
}

// momentsOf is the last full round over before an outage, the first wholly in it (else the one in which it was declared), and
// the first after it. One that does not exist is nil.
func (h *handler) momentsOf(a *answer, o *outage.Outage) (out [3]*probe.Round, err error) {
	const reach = 3 * dayMS
	rounds := func(from, to probe.Instant, newestFirst bool) iter.Seq2[*probe.Round, error] {
		return a.rounds(h.src.Rounds(from, to, newestFirst))
	}
	before := func(r *probe.Round) bool { return r.End <= o.Start.Earliest }
	if out[0], err = firstWhole(rounds(o.Start.Earliest.Add(-reach), o.Start.Earliest, true), before); err != nil {
		return out, err
	}
	end := outage.EndOfTime
	if o.End != nil {
		end = o.End.Earliest
	}
	inside := func(r *probe.Round) bool { return r.Start >= o.Start.At && r.End <= end }
	if out[1], err = firstWhole(rounds(o.Start.At, min(end, o.Start.At.Add(reach)), false), inside); err != nil {
		return out, err
	}
	if out[1] == nil {
		touches := func(r *probe.Round) bool { return r.End > o.Start.At }
		if out[1], err = firstWhole(rounds(o.Start.At.Add(-dayMS), o.Start.At.Add(1), true), touches); err != nil {
			return out, err
		}
	}
	if o.End != nil {
		out[2], err = firstWhole(rounds(o.End.Latest, o.End.Latest.Add(reach), false), anyRound)
	}
	return out, err
}

// medianRTT is of all answers of a round, in microseconds; 0: nothing answered.
func medianRTT(r *probe.Round) uint32 {
	var all []uint32
	for i := range r.Passes {
		for k := range r.Passes[i].Answers {
			if a := &r.Passes[i].Answers[k]; a.Outcome.Life() && a.RTT > 0 {
				all = append(all, a.RTT)
			}
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (h *handler) fillEvidence(_ *answer, v *outageView) error {
	for _, at := range v.Evidence {
		r, err := h.src.Round(at, probe.Full)
		if err != nil {
			return err
		}
		if r != nil {
			v.Rounds, v.Vantage = append(v.Rounds, Describe(r)), r.Vantage
		}
	}
	return nil
}
