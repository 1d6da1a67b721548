package web

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// overview is what the first page says: is it up, since when, and how do we know.
type overview struct {
	Space    blockRow
	Blocks   []blockRow // the space's first, where there are others
	Judged   *probe.Instant
	Agent    *Agent
	Alarms   []string // what keeps us from knowing
	Last     *RoundInfo
	LastAge  probe.Instant
	Names    []string    // the protocols'
	Ongoing  []outageRow // the space's first
	Lasting  int         // how many there are, listed or not
	Recent   []outageRow
	Hosts    []hostRow // who usually answers
	HostsCut int       // how many more there are
	View     view

	usual map[netip.Addr]bool
}

// blockRow is a block for people.
type blockRow struct {
	outage.BlockStatus
	Name string
	Days []dayState
}

// hostRow is an address that usually answers, as of the last round.
type hostRow struct {
	Address  netip.Addr
	Outcomes []string // by protocol
	Life     bool
	RTT      uint32 // the fastest
}

// view is what part of the data a page shows: it stands in the URL.
type view struct {
	Block        string
	Since, Until probe.Instant
	Observed     probe.Instant // the end of what there is
}

const (
	mostHosts   = 64
	mostOngoing = 12
)

func (h *handler) overviewPage(a *answer) error {
	v, err := h.askedView(a)
	if err != nil {
		return err
	}
	learned, err := h.src.Learned(0)
	if err != nil {
		return err
	}
	s, err := h.statusOf(&learned)
	if err != nil {
		return err
	}
	o := &overview{usual: usualOf(learned.Detector), Judged: s.Judged, Agent: s.Agent, View: v, Space: blockRow{BlockStatus: outage.BlockStatus{Block: outage.SpaceBlock, State: s.State}}}
	for _, fill := range []func(*answer, *Status, *overview) error{h.fillBlocks, h.fillLast, h.fillOutages} {
		if err := fill(a, s, o); err != nil {
			return err
		}
	}
	o.alarm(h.opt.Ready)
	return h.show(a, "overview.html", page{Title: o.Space.State.String(), Path: "/", Script: true, Body: o})
}

// askedView reads the view from the URL. What only the script uses is let pass.
func (h *handler) askedView(a *answer) (v view, err error) {
	until, err := h.observed()
	if err != nil {
		return v, err
	}
	v.Observed = cmp.Or(min(until, probe.InstantOf(h.opt.Now())), probe.InstantOf(h.opt.Now()))
	v.Block = cmp.Or(a.p.get("block"), outage.SpaceBlock)
	v.Since, v.Until = a.p.spanOr(v.Observed.Add(-dayMS), v.Observed)
	for _, name := range []string{"at", "order", "layer"} {
		a.p.get(name)
	}
	if err := a.p.done(); err != nil {
		return v, err
	}
	names, err := h.src.Blocks()
	if err == nil && len(names) > 0 && !slices.Contains(names, v.Block) {
		return v, notFound("there is no block " + v.Block)
	}
	return v, err
}

func (h *handler) fillBlocks(_ *answer, s *Status, o *overview) error {
	space, err := h.spaceName()
	if err != nil {
		return err
	}
	said, err := h.said("")
	if err != nil {
		return err
	}
	now := probe.InstantOf(h.opt.Now())
	states := cut(outage.Timeline(said, o.View.Observed), now.Add(-barDays*dayMS), now)
	for _, b := range s.Blocks {
		row := blockRow{BlockStatus: b, Name: blockName(b.Block, space), Days: daysOf(states, b.Block, now)}
		if b.Block == outage.SpaceBlock {
			o.Space = row
		}
		o.Blocks = append(o.Blocks, row)
	}
	o.Space.Name = space
	return nil
}

// fillLast tells of the last round that is over, and of who usually answers.
func (h *handler) fillLast(a *answer, _ *Status, o *overview) error {
	r, err := h.roundAt(a, outage.EndOfTime-1)
	if err != nil || r == nil {
		return err
	}
	info := Describe(r)
	o.Last, o.LastAge = &info, probe.InstantOf(h.opt.Now())-r.End
	for i := range r.Passes {
		o.Names = append(o.Names, r.Passes[i].Protocol.String())
	}
	o.Hosts = hostsOf(r, o.usual)
	if len(o.Hosts) > mostHosts {
		o.Hosts, o.HostsCut = o.Hosts[:mostHosts], len(o.Hosts)-mostHosts
	}
	return nil
}

func hostsOf(r *probe.Round, usual map[netip.Addr]bool) []hostRow {
	var out []hostRow
	watch := observe(r)
	for addr := range usual {
		row := hostRow{Address: addr}
		for pass := range r.Passes {
			target, ok := r.Passes[pass].Targets.Index(addr)
			if !ok {
				row.Outcomes = append(row.Outcomes, "–")
				continue
			}
			one := watch.of(pass, int32(target))
			row.Outcomes = append(row.Outcomes, one.Outcome.String())
			row.Life = row.Life || one.Outcome.Life()
			if one.Outcome.Life() && one.RTT != nil && (row.RTT == 0 || *one.RTT < row.RTT) {
				row.RTT = *one.RTT
			}
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b hostRow) int { return a.Address.Compare(b.Address) })
	return out
}

func (h *handler) fillOutages(_ *answer, s *Status, o *overview) error {
	now := probe.InstantOf(h.opt.Now())
	o.Lasting = len(s.Ongoing)
	if i := slices.IndexFunc(s.Ongoing, func(x outage.Outage) bool { return x.Block == outage.SpaceBlock }); i > 0 {
		s.Ongoing = slices.Insert(slices.Delete(slices.Clone(s.Ongoing), i, i+1), 0, s.Ongoing[i])
	}
	for _, one := range s.Ongoing[:min(len(s.Ongoing), mostOngoing)] {
		o.Ongoing = append(o.Ongoing, rowOf(one, o.Space.Name, now))
	}
	all, err := h.src.Outages()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(x outage.Outage) bool { return x.Block != outage.SpaceBlock })
	slices.SortFunc(all, outage.CompareOutages)
	slices.Reverse(all)
	for _, one := range all[:min(len(all), 6)] {
		o.Recent = append(o.Recent, rowOf(one, o.Space.Name, now))
	}
	return nil
}

// alarm collects what is wrong with our own sight.
func (o *overview) alarm(ready func() error) {
	if ready != nil {
		if err := ready(); err != nil {
			o.Alarms = append(o.Alarms, "The round is late: "+err.Error()+".")
		}
	}
	switch {
	case o.Agent == nil || o.Agent.Healthy:
	case o.Agent.Checked:
		o.Alarms = append(o.Alarms, "Nobody vouches for our own connectivity now: silence may be ours.")
	default:
		o.Alarms = append(o.Alarms, "Nobody vouches for our own connectivity, for too few references are configured: no total outage is declared.")
	}
	if o.Space.State == outage.Unknown {
		o.Alarms = append(o.Alarms, "The state is unknown since "+stamp(o.Space.Since)+": "+reasonWords(o.Space.Reason)+".")
	}
}
