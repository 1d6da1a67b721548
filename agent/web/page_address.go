package web

import (
	"fmt"
	"net/netip"
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// addressView is what is known of an address.
type addressView struct {
	Address   netip.Addr
	Block     string
	Usual     bool
	Services  []serviceRow
	Recent    []Observation
	Since     probe.Instant
	Until     probe.Instant
	Gone      []outageRow // outages at whose worst it was silent
	Answering bool
	Known     bool // whether it was ever probed
}

// serviceRow is one protocol of an address over the time shown.
type serviceRow struct {
	Protocol       probe.Protocol
	Asked, Lives   int
	Share          string
	Last           *Observation
	Fastest, Slow  uint32
	times          []probe.Instant
	lives, trusted []bool
}

func (h *handler) addressPage(a *answer) error {
	v, err := h.askedAddress(a)
	if err != nil {
		return err
	}
	if err := a.p.done(); err != nil {
		return err
	}
	if err := h.fillAddress(a, v); err != nil {
		return err
	}
	if err := h.fillGone(v); err != nil {
		return err
	}
	return h.show(a, "address.html", page{Title: v.Address.String(), Path: "/", Script: true, Body: v})
}

// askedAddress reads the address and the time: the last seven days that there are, by default.
func (h *handler) askedAddress(a *answer) (*addressView, error) {
	text := a.r.PathValue("ip")
	if text == "" {
		text = a.p.get("address")
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return nil, badParameter("ip", fmt.Sprintf("%q is no IP address", text))
	}
	until, err := h.observed()
	if err != nil {
		return nil, err
	}
	v := &addressView{Address: ip.Unmap()}
	began, err := h.began()
	if err != nil {
		return nil, err
	}
	v.Since, v.Until = a.p.spanOr(max(until.Add(-7*dayMS), began), until)
	return v, nil
}

const mostRecent = 50

// fillAddress reads what became of the address.
func (h *handler) fillAddress(a *answer, v *addressView) error {
	for seen, err := range limited(a, h.src.Address(v.Address, v.Since, v.Until, true)) {
		if err != nil {
			return err
		}
		own := *seen // the next overwrites it
		v.take(observationOf(&own, v.Address))
	}
	slices.SortFunc(v.Services, func(a, b serviceRow) int { return a.Protocol.Compare(b.Protocol) })
	for i := range v.Services {
		s := &v.Services[i]
		s.Share = "–"
		if s.Asked > 0 {
			s.Share = percentWords(outage.Ratio(int64(s.Lives), int64(s.Asked)))
		}
		v.Answering = v.Answering || s.Last != nil && s.Last.Outcome.Life()
	}
	usual, err := h.usual()
	if err != nil {
		return err
	}
	v.Usual = usual[v.Address]
	bits, _, err := h.judgedBy()
	if err == nil && v.Known {
		v.Block = groupOf(v.Address, max(bits, 1)).String()
	}
	return err
}

// take takes in an observation; the newest comes first.
func (v *addressView) take(o Observation) {
	v.Known = true
	if len(v.Recent) < mostRecent {
		v.Recent = append(v.Recent, o)
	}
	i := slices.IndexFunc(v.Services, func(s serviceRow) bool { return s.Protocol == o.Protocol })
	if i < 0 {
		i = len(v.Services)
		v.Services = append(v.Services, serviceRow{Protocol: o.Protocol})
	}
	s := &v.Services[i]
	if o.Outcome == probe.Unsent || o.SentAt == nil {
		return
	}
	if s.Last == nil {
		s.Last = &o
	}
	s.times, s.lives = append(s.times, *o.SentAt), append(s.lives, o.Outcome.Life())
	s.trusted = append(s.trusted, o.VantageOK || o.Outcome.Life())
	if !s.trusted[len(s.trusted)-1] {
		return
	}
	s.Asked++
	if !o.Outcome.Life() {
		return
	}
	s.Lives++
	if o.RTT != nil {
		s.Slow = max(s.Slow, *o.RTT)
		if s.Fastest == 0 || *o.RTT < s.Fastest {
			s.Fastest = *o.RTT
		}
	}
}

func (h *handler) fillGone(v *addressView) error {
	all, err := h.src.Outages()
	if err != nil {
		return err
	}
	space, err := h.spaceName()
	if err != nil {
		return err
	}
	slices.SortFunc(all, outage.CompareOutages)
	slices.Reverse(all)
	for _, o := range all {
		if o.Block == outage.SpaceBlock && slices.Contains(o.Gone, v.Address) {
			v.Gone = append(v.Gone, rowOf(o, space, probe.InstantOf(h.opt.Now())))
		}
	}
	return nil
}

// addressFigure draws when an address answered, a row a protocol.
func (h *handler) addressFigure(a *answer, ink inks) func() (*svg, error) {
	v, err := h.askedAddress(a)
	return func() (*svg, error) {
		if err != nil {
			return nil, err
		}
		if err := h.fillAddress(a, v); err != nil {
			return nil, err
		}
		latest, err := h.latest()
		if err != nil {
			return nil, err
		}
		return drawAddress(v, ink, h.sourceLine(latest)), nil
	}
}

func drawAddress(v *addressView, ink inks, source string) *svg {
	const row = 30.0
	height := 110 + row*float64(len(v.Services))
	out := newSVG(900, height, ink, "When "+v.Address.String()+" answered", "A stroke a probe: tall where it answered, short where it was silent")
	out.sized(20, 28, 16, "start", ink.text, "When "+v.Address.String()+" answered")
	out.sized(20, 46, 12, "start", ink.faint, "Tall strokes: an answer. Short orange strokes: silence. Grey: not known.")
	a := &axis{x: 80, y: 58, w: 800, h: row * float64(len(v.Services)), from: v.Since, to: v.Until, top: 1}
	out.hours(a, true)
	for i := range v.Services {
		s := &v.Services[i]
		y := a.y + row*float64(i)
		out.sized(a.x-10, y+row/2+4, 12, "end", ink.text, s.Protocol.String())
		out.path(s.strokes(a, y, true, true), "none", ink.answers, 1.4)
		out.path(s.strokes(a, y+row*.4, false, true), "none", ink.missing, 1.4)
		out.path(s.strokes(a, y+row*.4, false, false), "none", ink.unknown, 1.4)
	}
	out.sized(20, height-12, 11, "start", ink.faint, source)
	return out
}

// strokes are those of a service's probes that lived, or did not. Two in one place are drawn once.
func (s *serviceRow) strokes(a *axis, y float64, life, trusted bool) string {
	height := 10
	if life {
		height = 22
	}
	out, last := "", -1.0
	for i := len(s.times) - 1; i >= 0; i-- {
		x := a.px(s.times[i])
		if s.lives[i] != life || s.trusted[i] != trusted || x-last < .7 {
			continue
		}
		out, last = out+fmt.Sprintf("M%.1f %.1fv%d", x, y+4, height), x
	}
	return out
}
