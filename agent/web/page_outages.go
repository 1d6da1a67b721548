package web

import (
	"html/template"
	"slices"
	"strconv"

	"brownout/probe"
	"brownout/probe/outage"
)

// outageRow is an outage for people.
type outageRow struct {
	outage.Outage
	Name     string // the block's
	Sentence string
	Lasted   string
}

func rowOf(o outage.Outage, space string, now probe.Instant) outageRow {
	row := outageRow{Outage: o, Name: blockName(o.Block, space)}
	row.Sentence = sentence(&o, row.Name, now)
	row.Lasted = lastingWords(max(now-o.Start.At, 0))
	if o.End != nil {
		row.Lasted = lastingWords(o.End.At - o.Start.At)
	}
	return row
}

// blockName is what people call a block: the space by its own name.
func blockName(block, space string) string {
	if block == outage.SpaceBlock {
		return space
	}
	return block
}

// outagesView is the table and its filters.
type outagesView struct {
	Rows                 []outageRow
	Blocks               []string
	Block, Kind, Status  string
	Since, Until         string
	All                  bool
	Query                template.URL // for the links to CSV and JSON
	Total, Partial, More int
}

const mostOutages = 500

func (h *handler) outagesPage(a *answer) error {
	v := &outagesView{
		Block: a.p.get("block"), Status: a.p.word("status", "", "ongoing", "ended"), Kind: a.p.word("kind", "", "total", "partial"),
		Since: a.p.get("since"), Until: a.p.get("until"), All: a.p.truth("blocks"),
	}
	from, to := a.p.span()
	if err := a.p.done(); err != nil {
		return err
	}
	all, err := h.src.Outages()
	if err != nil {
		return err
	}
	if v.Blocks, err = h.src.Blocks(); err != nil {
		return err
	}
	space, err := h.spaceName()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(o outage.Outage) bool { return !v.wants(&o) || !overlaps(&o, from, to) })
	slices.SortFunc(all, outage.CompareOutages)
	slices.Reverse(all)
	now := probe.InstantOf(h.opt.Now())
	for _, o := range all {
		switch o.Kind {
		case outage.Total:
			v.Total++
		case outage.Partial:
			v.Partial++
		}
		if len(v.Rows) < mostOutages {
			v.Rows = append(v.Rows, rowOf(o, space, now))
		} else {
			v.More++
		}
	}
	v.Query = v.query()
	return h.show(a, "outages.html", page{Title: "Outages", Path: "/outages", Body: v})
}

// wants reports whether an outage passes the filters.
func (v *outagesView) wants(o *outage.Outage) bool {
	return (v.All || v.Block != "" || o.Block == outage.SpaceBlock) && (v.Block == "" || o.Block == v.Block) &&
		(v.Status == "" || string(o.Status) == v.Status) && (v.Kind == "" || o.Kind.String() == v.Kind)
}

// query is the same question to the API.
func (v *outagesView) query() template.URL {
	q := "blocks=" + strconv.FormatBool(v.All)
	for _, f := range [][2]string{{"block", v.Block}, {"kind", v.Kind}, {"status", v.Status}, {"since", v.Since}, {"until", v.Until}} {
		if f[1] != "" {
			q += "&" + f[0] + "=" + escape(f[1])
		}
	}
	return template.URL(q) // its values are escaped
}
