package outage_test

import (
	"net/netip"
	"slices"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// A late reply to what was sent into the last minutes of a total outage comes when the outage is over. The outage stays as
// it was published, and is revised: it was not total throughout. What is found online is found by a replay.
func TestLateReplyRevises(t *testing.T) {
	w := newWorld(t, 4).like2014()
	from, to := at(t, noon), at(t, later)
	w.down = between(from, to)
	var late netip.Addr
	w.amend = func(r *probe.Round) {
		if r.Kind == probe.Full && r.Start < to && r.End > to {
			late = answerLate(r, w.hosts, to.Add(-170_000), to.Add(-70_000))
		}
	}
	h, lines := w.run(150)
	sane(t, h, lines)
	o := h.Outages(false)[0]
	if o.Kind != outage.Total || len(o.Revisions) != 1 || len(o.Revisions[0].Rounds) != 1 {
		t.Fatalf("%s", encode(t, h))
	}
	if r := o.Revisions[0]; r.Finding != outage.LateReply || r.Kind != outage.Partial || !slices.Equal(r.Addresses, []netip.Addr{late}) {
		t.Errorf("revised by %+v, not by %v", r, late)
	}
}

// answerLate lets a host that is pinged between two moments answer three minutes later.
func answerLate(r *probe.Round, hosts []simHost, from, to probe.Instant) netip.Addr {
	p := &r.Passes[0]
	for i := range hosts {
		k, _ := p.Targets.Index(hosts[i].addr)
		offset := r.Plan().Offset(0, k).Milliseconds()
		if sent := r.Start.Add(offset); hosts[i].by[probe.ICMP] < 0.9 || sent < from || sent > to {
			continue
		}
		p.Answers = append(p.Answers, probe.Answer{Target: int32(k), Outcome: probe.Late, Offset: int32(offset),
			First: probe.UnknownOffset, RTT: probe.QuantiseRTT(180_000_000)})
		sortAnswers(p)
		return hosts[i].addr
	}
	return netip.Addr{}
}
