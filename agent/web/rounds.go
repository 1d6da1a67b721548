package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"brownout/probe"
	"brownout/probe/outage"
)

// RoundInfo is a round without its observations.
type RoundInfo struct {
	Start     probe.Instant `json:"start"`
	End       probe.Instant `json:"end"`
	Kind      probe.Kind    `json:"kind"`
	UnderWay  bool          `json:"under_way,omitempty"` // what it says is unsent may yet be sent
	Vantage   string        `json:"vantage"`
	VantageOK bool          `json:"vantage_ok"` // all the time
	Addresses int           `json:"addresses"`
	Answering int           `json:"answering"` // addresses that showed life
	Probes    []PassInfo    `json:"probes"`
}

// PassInfo counts the outcomes of one protocol.
type PassInfo struct {
	Protocol    probe.Protocol `json:"protocol"`
	Targets     int            `json:"targets"`
	Reply       int            `json:"reply"`
	Refused     int            `json:"refused"`
	Late        int            `json:"late"`
	Unreachable int            `json:"unreachable"`
	Timeout     int            `json:"timeout"`
	Unsent      int            `json:"unsent"`
}

// Describe counts what a round observed.
func Describe(r *probe.Round) RoundInfo {
	out := RoundInfo{
		Start: r.Start, End: r.End, Kind: r.Kind, Vantage: r.Vantage,
		VantageOK: r.VantageOK && len(r.VantageBad) == 0, Addresses: r.Space.Len(), Probes: []PassInfo{},
	}
	lives := make([]bool, r.Space.Len()) // the passes' targets lie in the space
	for i := range r.Passes {
		p := &r.Passes[i]
		out.Probes = append(out.Probes, describePass(p))
		for k := range p.Answers {
			if a := &p.Answers[k]; a.Outcome.Life() {
				if index, ok := r.Space.Index(p.Targets.Addr(int(a.Target))); ok && !lives[index] {
					lives[index] = true
					out.Answering++
				}
			}
		}
	}
	return out
}

func describePass(p *probe.Pass) PassInfo {
	out := PassInfo{Protocol: p.Protocol, Targets: p.Targets.Len(), Unsent: len(p.Unsent)}
	for i := range p.Answers {
		switch p.Answers[i].Outcome {
		case probe.Reply:
			out.Reply++
		case probe.Refused:
			out.Refused++
		case probe.Late:
			out.Late++
		case probe.Unreachable:
			out.Unreachable++
		}
	}
	out.Timeout = out.Targets - out.Unsent - len(p.Answers)
	return out
}

// rounds answers with rounds, the newest first.
func (h *handler) rounds(a *answer) error {
	format, kind := a.p.format(), a.p.word("kind", "", "round", "core", "confirm")
	from, to := a.p.span()
	limit := a.p.limit(20)
	if err := a.p.done(); err != nil {
		return err
	}
	infos := h.describeAll(a.rounds(h.src.Rounds(from, to, true)), kind, limit)
	if format == "csv" {
		return list(a, format, roundColumns, byPass(infos))
	}
	return list(a, format, nil, infos)
}

func (h *handler) describeAll(rounds iter.Seq2[*probe.Round, error], kind string, limit int) iter.Seq2[*RoundInfo, error] {
	return func(yield func(*RoundInfo, error) bool) {
		n, sweeping := 0, h.underWay()
		for r, err := range rounds {
			if err != nil {
				yield(nil, err)
				return
			}
			if kind != "" && r.Kind.String() != kind {
				continue
			}
			info := Describe(r)
			info.UnderWay = sweeping.is(r.Start, r.Kind)
			if n++; !yield(&info, nil) || n >= limit {
				return
			}
		}
	}
}

// passRow is a round's protocol: a row of CSV.
type passRow struct {
	round *RoundInfo
	pass  *PassInfo
}

func byPass(infos iter.Seq2[*RoundInfo, error]) iter.Seq2[*passRow, error] {
	return func(yield func(*passRow, error) bool) {
		for info, err := range infos {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range info.Probes {
				if !yield(&passRow{info, &info.Probes[i]}, nil) {
					return
				}
			}
		}
	}
}

var roundColumns = []column[passRow]{
	value("start", func(r *passRow) probe.Instant { return r.round.Start }),
	value("end", func(r *passRow) probe.Instant { return r.round.End }),
	word("kind", func(r *passRow) probe.Kind { return r.round.Kind }),
	text("vantage", func(r *passRow) string { return r.round.Vantage }),
	boolean("vantage_ok", func(r *passRow) bool { return r.round.VantageOK }),
	count("addresses", func(r *passRow) int { return r.round.Addresses }),
	count("answering", func(r *passRow) int { return r.round.Answering }),
	word("protocol", func(r *passRow) probe.Protocol { return r.pass.Protocol }),
	count("targets", func(r *passRow) int { return r.pass.Targets }),
	count("reply", func(r *passRow) int { return r.pass.Reply }),
	count("refused", func(r *passRow) int { return r.pass.Refused }),
	count("late", func(r *passRow) int { return r.pass.Late }),
	count("unreachable", func(r *passRow) int { return r.pass.Unreachable }),
	count("timeout", func(r *passRow) int { return r.pass.Timeout }),
	count("unsent", func(r *passRow) int { return r.pass.Unsent }),
	boolean("under_way", func(r *passRow) bool { return r.round.UnderWay }),
}

// underWay is the round that the agent sweeps now; nil: none.
type underWay struct{ round *Progress }

func (h *handler) underWay() underWay {
	if h.opt.Live != nil {
		if agent := h.opt.Live(); agent != nil {
			return underWay{agent.Round}
		}
	}
	return underWay{}
}

func (u underWay) is(start probe.Instant, kind probe.Kind) bool {
	return u.round != nil && kind == probe.Full && u.round.Start == start
}

// round answers with one round as a line of the interchange format.
func (h *handler) round(a *answer) error {
	format, name := a.p.format(), a.p.word("kind", "round", "core", "confirm")
	if err := a.p.done(); err != nil {
		return err
	}
	start, err := ParseTime(a.r.PathValue("start"), a.p.now)
	if err != nil {
		return badParameter("start", err.Error())
	}
	var kind probe.Kind
	if err := kind.UnmarshalText([]byte(name)); err != nil {
		return badParameter("kind", err.Error())
	}
	r, err := h.src.Round(start, kind)
	if err != nil {
		return err
	}
	if r == nil {
		return notFound(fmt.Sprintf("there is no %s that started at %v", kind, start))
	}
	one := func(yield func(*probe.Round, error) bool) { yield(r, nil) }
	if format == "csv" {
		return list(a, format, observationColumns, observations(one))
	}
	a.contentType("application/json")
	return probe.NewRoundWriter(a).Write(r)
}

// export answers with rounds, the oldest first, as JSON Lines of the interchange format or as tidy CSV.
func (h *handler) export(a *answer) error {
	format := a.p.word("format", "jsonl", "csv")
	from, to := a.p.span()
	if err := a.p.done(); err != nil {
		return err
	}
	if format == "csv" {
		return list(a, format, observationColumns, observations(a.rounds(h.src.Rounds(from, to, false))))
	}
	a.contentType("application/jsonl")
	return h.exportLines(a, from, to)
}

func (h *handler) exportLines(a *answer, from, to probe.Instant) error {
	bits, _, err := h.judgedBy()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(a, bufferSize)
	err = writeLines(out, bits, a.rounds(h.src.Export(from, to)))
	return errors.Join(err, out.Flush()) // what was read whole is not kept back
}

// writeLines writes rounds in the interchange format.
func writeLines(w io.Writer, bits int, rounds iter.Seq2[*probe.Round, error]) error {
	out := probe.NewRoundWriter(w)
	first := true
	for r, err := range rounds {
		if err == nil && first {
			err = out.Header(bits, r.Timeout, r.Scale)
			first = false
		}
		if err == nil {
			err = out.Write(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// judgedBy is by what blocks the rounds were judged, and up to when. What another version learned is not needed for that.
func (h *handler) judgedBy() (bits int, cursor probe.Instant, err error) {
	snapshot, cursor, err := h.src.Detector()
	if err != nil {
		return 0, 0, err
	}
	if d := outage.New(outage.Config{}); d.UnmarshalBinary(snapshot) == nil {
		return d.BlockBits, cursor, nil
	}
	bits, err = h.src.BlockBits(0)
	return bits, cursor, err
}
