package web

import (
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// Status is how things stand.
type Status struct {
	State   outage.State         `json:"state"`        // of the space
	Judged  *probe.Instant       `json:"judged"`       // everything seen before has been judged; nil: nothing has
	Was     *outage.State        `json:"judged_state"` // of the space, then; it is another than now's where nobody has looked since
	Blocks  []outage.BlockStatus `json:"blocks"`
	Ongoing []outage.Outage      `json:"ongoing"` // outages, of all blocks
	Agent   *Agent               `json:"agent"`   // nil: none runs
}

func (h *handler) status(a *answer) error {
	format, s, err := h.askedStatus(a)
	if err != nil {
		return err
	}
	if format == "csv" {
		return whole(a, format, blockColumns, s.Blocks)
	}
	return object(a, s)
}

// askedStatus is how things stand, and the format that was asked for.
func (h *handler) askedStatus(a *answer) (format string, s *Status, err error) {
	format = a.p.format()
	if err := a.p.done(); err != nil {
		return "", nil, err
	}
	s, err = h.readStatus()
	return format, s, err
}

func (h *handler) readStatus() (*Status, error) {
	learned, err := h.src.Learned(0)
	if err != nil {
		return nil, err
	}
	return h.statusOf(&learned)
}

func (h *handler) statusOf(learned *store.Learned) (*Status, error) {
	d := learned.Detector
	s := &Status{State: outage.Learning, Blocks: []outage.BlockStatus{}, Ongoing: []outage.Outage{}}
	if h.opt.Live != nil {
		s.Agent = h.opt.Live()
	}
	if d == nil {
		return s, nil
	}
	cursor := d.Cursor()
	s.Judged = &cursor
	if was := d.Blocks(); len(was) > 0 { // the space comes first
		s.Was = &was[0].State
	}
	s.Blocks = append(s.Blocks, d.BlocksAt(probe.InstantOf(h.opt.Now()))...)
	for i := range s.Blocks {
		if s.Blocks[i].Block == outage.SpaceBlock {
			s.State = s.Blocks[i].State
		}
	}
	all, err := h.src.Outages()
	if err != nil {
		return nil, err
	}
	var history outage.History
	history.Add(outage.Findings{Outages: all})
	history.Add(learned.Findings)
	for _, o := range history.Outages(true) {
		if o.Status == outage.Ongoing {
			s.Ongoing = append(s.Ongoing, o)
		}
	}
	return s, nil
}

func (h *handler) blocks(a *answer) error {
	format, s, err := h.askedStatus(a)
	if err != nil {
		return err
	}
	return whole(a, format, blockColumns, s.Blocks)
}

var blockColumns = []column[outage.BlockStatus]{
	text("block", func(b *outage.BlockStatus) string { return b.Block }),
	word("state", func(b *outage.BlockStatus) outage.State { return b.State }),
	value("since", func(b *outage.BlockStatus) probe.Instant { return b.Since }),
	text("reason", func(b *outage.BlockStatus) string { return b.Reason }),
	value("expected", func(b *outage.BlockStatus) outage.Decimal { return b.Expected }),
	count("observed", func(b *outage.BlockStatus) int { return b.Observed }),
	value("response_rate", func(b *outage.BlockStatus) outage.Decimal { return b.ResponseRate }),
	count("usual", func(b *outage.BlockStatus) int { return b.Usual }),
	count("responsive", func(b *outage.BlockStatus) int { return b.Responsive }),
	count("targets", func(b *outage.BlockStatus) int { return b.Targets }),
	text("conditions", func(b *outage.BlockStatus) string { return words(b.Conditions) }),
	value("smallest_drop", func(b *outage.BlockStatus) outage.Decimal { return b.Power.SmallestDrop }),
	count("detect_total_s", func(b *outage.BlockStatus) int { return int(b.Power.TotalAfter) }),
	count("detect_partial_s", func(b *outage.BlockStatus) int { return int(b.Power.PartialAfter) }),
}
