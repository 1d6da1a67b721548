package web

import (
	"fmt"
	"io"
	"iter"
	"net/netip"

	"brownout/probe"
	"brownout/store"
)

// Observation is what became of one probe.
type Observation struct {
	Round     probe.Instant  `json:"round"` // its start
	Kind      probe.Kind     `json:"kind"`
	Vantage   string         `json:"vantage"`
	VantageOK bool           `json:"vantage_ok"` // false: silence does not count
	Address   netip.Addr     `json:"address"`
	Protocol  probe.Protocol `json:"protocol"`
	SentAt    *probe.Instant `json:"sent_at"` // nil: unsent, or not known
	Outcome   probe.Outcome  `json:"outcome"`
	RTT       *uint32        `json:"rtt_us"` // nil: no reply, or not known
	Type      *uint8         `json:"icmp_type,omitempty"`
	Code      *uint8         `json:"icmp_code,omitempty"`
	From      *netip.Addr    `json:"icmp_from,omitempty"`
}

// clone is a copy that shares nothing.
func (o *Observation) clone() Observation {
	var own struct {
		sentAt     probe.Instant
		rtt        uint32
		kind, code uint8
		from       netip.Addr
	}
	out := *o
	out.SentAt = moved(o.SentAt, &own.sentAt)
	out.RTT = moved(o.RTT, &own.rtt)
	out.Type, out.Code = moved(o.Type, &own.kind), moved(o.Code, &own.code)
	out.From = moved(o.From, &own.from)
	return out
}

// moved copies what from points to, if anything, and points to the copy.
func moved[T any](from, to *T) *T {
	if from == nil {
		return nil
	}
	*to = *from
	return to
}

// observer reads the observations of a round.
type observer struct {
	r *probe.Round
	w probe.Witness
}

func observe(r *probe.Round) observer { return observer{r, r.Witness()} }

// Observe is what became of the probe of one of a pass's targets.
func Observe(r *probe.Round, pass int, target int32) Observation {
	o := observe(r)
	return o.of(pass, target)
}

// of is the observation of a pass's target.
func (o *observer) of(pass int, target int32) Observation {
	p := &o.r.Passes[pass]
	outcome, answer, offset, trusted := o.w.Of(pass, target)
	out := Observation{
		Round: o.r.Start, Kind: o.r.Kind, Vantage: o.r.Vantage, VantageOK: trusted,
		Address: p.Targets.Addr(int(target)), Protocol: p.Protocol, Outcome: outcome,
	}
	if answer != nil {
		out.answered(answer)
	}
	if offset != probe.UnknownOffset {
		at := o.r.Start.Add(int64(offset))
		out.SentAt = &at
	}
	return out
}

func (o *Observation) answered(a *probe.Answer) {
	if a.RTT > 0 {
		o.RTT = &a.RTT
	}
	if a.Outcome == probe.Unreachable {
		o.Type, o.Code = &a.Type, &a.Code
		if a.From.IsValid() {
			o.From = &a.From
		}
	}
}

// observations yields every observation of the rounds, in order of protocol and address. Each is overwritten by the next.
func observations(rounds iter.Seq2[*probe.Round, error]) iter.Seq2[*Observation, error] {
	return func(yield func(*Observation, error) bool) {
		for r, err := range rounds {
			if err != nil {
				yield(nil, err)
				return
			}
			for o := range ObservationsOf(r) {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// ObservationsOf yields every observation of a round, in order of protocol and address. Each is overwritten by the next.
func ObservationsOf(r *probe.Round) iter.Seq[*Observation] {
	return func(yield func(*Observation) bool) {
		o := observe(r)
		var one Observation
		for pass := range r.Passes {
			for target := range int32(r.Passes[pass].Targets.Len()) {
				if one = o.of(pass, target); !yield(&one) {
					return
				}
			}
		}
	}
}

// WriteObservationsCSV writes a round tidily: one observation a row.
func WriteObservationsCSV(w io.Writer, r *probe.Round) error {
	one := func(yield func(*probe.Round, error) bool) { yield(r, nil) }
	return writeCSV(w, observationColumns, observations(one))
}

var observationColumns = []column[Observation]{
	value("round", func(o *Observation) probe.Instant { return o.Round }),
	word("kind", func(o *Observation) probe.Kind { return o.Kind }),
	text("vantage", func(o *Observation) string { return o.Vantage }),
	boolean("vantage_ok", func(o *Observation) bool { return o.VantageOK }),
	maybe("address", func(o *Observation) *netip.Addr { return &o.Address }, netip.Addr.AppendTo),
	word("protocol", func(o *Observation) probe.Protocol { return o.Protocol }),
	maybe("sent_at", func(o *Observation) *probe.Instant { return o.SentAt }, probe.Instant.Append),
	word("outcome", func(o *Observation) probe.Outcome { return o.Outcome }),
	maybe("rtt_us", func(o *Observation) *uint32 { return o.RTT }, addUint),
	maybe("icmp_type", func(o *Observation) *uint8 { return o.Type }, addUint),
	maybe("icmp_code", func(o *Observation) *uint8 { return o.Code }, addUint),
	maybe("icmp_from", func(o *Observation) *netip.Addr { return o.From }, netip.Addr.AppendTo),
}

// address answers with what became of the probes of one address, the newest round first.
func (h *handler) address(a *answer) error {
	format := a.p.format()
	from, to := a.p.span()
	limit := a.p.limit(100)
	if err := a.p.done(); err != nil {
		return err
	}
	ip, err := netip.ParseAddr(a.r.PathValue("ip"))
	if err != nil {
		return badParameter("ip", fmt.Sprintf("%q is no IP address", a.r.PathValue("ip")))
	}
	return list(a, format, observationColumns, limited(a, h.observationsOf(ip.Unmap(), from, to, limit)))
}

func (h *handler) observationsOf(ip netip.Addr, from, to probe.Instant, limit int) iter.Seq2[*Observation, error] {
	return func(yield func(*Observation, error) bool) {
		n, sweeping := 0, h.underWay()
		for seen, err := range h.src.Address(ip, from, to, true) {
			if err != nil {
				yield(nil, err)
				return
			}
			if seen.Outcome == probe.Unsent && sweeping.is(seen.Start, seen.Kind) {
				continue // it is not due yet
			}
			o := observationOf(seen, ip)
			if n++; !yield(&o, nil) || n >= limit {
				return
			}
		}
	}
}

func observationOf(s *store.Sighting, ip netip.Addr) Observation {
	o := Observation{
		Round: s.Start, Kind: s.Kind, Vantage: s.Vantage, VantageOK: s.VantageOK, Address: ip, Protocol: s.Protocol, Outcome: s.Outcome,
	}
	if s.SentKnown {
		o.SentAt = &s.Sent
	}
	if s.RTT > 0 {
		o.RTT = &s.RTT
	}
	if s.Outcome == probe.Unreachable {
		o.Type, o.Code = &s.Type, &s.Code
		if s.From.IsValid() {
			o.From = &s.From
		}
	}
	return o
}
