package web

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"brownout/probe"
	"brownout/probe/outage"
)

func (h *handler) outages(a *answer) error {
	format, blocks := a.p.word("format", "json", "csv", "codf"), a.p.truth("blocks")
	block, status := a.p.get("block"), a.p.word("status", "", "ongoing", "ended")
	kind := a.p.word("kind", "", "partial", "total")
	from, to := a.p.span()
	limit := a.p.limit(0)
	if err := a.p.done(); err != nil {
		return err
	}
	all, err := h.src.Outages()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(o outage.Outage) bool {
		return !blocks && block == "" && o.Block != outage.SpaceBlock || block != "" && o.Block != block ||
			status != "" && string(o.Status) != status || kind != "" && o.Kind.String() != kind || !overlaps(&o, from, to)
	})
	slices.SortFunc(all, outage.CompareOutages)
	if limit > 0 && len(all) > limit {
		all = all[len(all)-limit:] // the latest
	}
	if format == "codf" {
		return h.codf(a, all, from, to)
	}
	return list(a, format, outageColumns, each(all))
}

// overlaps reports whether some of an outage lies within from and to.
func overlaps(o *outage.Outage, from, to probe.Instant) bool {
	return o.Start.At < to && (o.End == nil || o.End.At >= from)
}

func (h *handler) outage(a *answer) error {
	format := a.p.word("format", "json", "csv", "codf")
	o, err := h.askedOutage(a)
	switch {
	case err != nil:
		return err
	case format == "csv":
		return list(a, format, outageColumns, each([]outage.Outage{*o}))
	case format == "codf":
		return h.codf(a, []outage.Outage{*o}, 0, outage.EndOfTime)
	}
	return object(a, o)
}

// askedOutage is the outage that the path names. No more parameters may follow.
func (h *handler) askedOutage(a *answer) (*outage.Outage, error) {
	if err := a.p.done(); err != nil {
		return nil, err
	}
	id := a.r.PathValue("id")
	o, err := h.src.Outage(id)
	if err == nil && o == nil {
		err = notFound(fmt.Sprintf("there is no outage %q", id))
	}
	return o, err
}

// WriteOutagesCSV writes outages one a row.
func WriteOutagesCSV(w io.Writer, list []outage.Outage) error {
	return writeCSV(w, outageColumns, each(list))
}

var outageColumns = []column[outage.Outage]{
	{"id", func(o *outage.Outage) string { return o.ID }},
	{"block", func(o *outage.Outage) string { return o.Block }},
	{"part_of", func(o *outage.Outage) string {
		if o.PartOf == nil {
			return ""
		}
		return *o.PartOf
	}},
	{"kind", func(o *outage.Outage) string { return o.Kind.String() }},
	{"status", func(o *outage.Outage) string { return string(o.Status) }},
	{"start_earliest", func(o *outage.Outage) string { return o.Start.Earliest.String() }},
	{"start_at", func(o *outage.Outage) string { return o.Start.At.String() }},
	{"start_latest", func(o *outage.Outage) string { return o.Start.Latest.String() }},
	{"end_earliest", func(o *outage.Outage) string {
		return end(o, func(i *outage.Interval) probe.Instant { return i.Earliest })
	}},
	{"end_at", func(o *outage.Outage) string { return end(o, func(i *outage.Interval) probe.Instant { return i.At }) }},
	{"end_latest", func(o *outage.Outage) string {
		return end(o, func(i *outage.Interval) probe.Instant { return i.Latest })
	}},
	{"phases", func(o *outage.Outage) string { return fmt.Sprint(len(o.Phases)) }},
	{"dark", func(o *outage.Outage) string { return words(o.Dark) }},
	{"expected", func(o *outage.Outage) string { return o.Expected.String() }},
	{"observed", func(o *outage.Outage) string { return fmt.Sprint(o.Observed) }},
	{"response_rate", func(o *outage.Outage) string { return o.ResponseRate.String() }},
	{"declared_at", func(o *outage.Outage) string { return o.DeclaredAt.String() }},
	{"unstable_for_s", func(o *outage.Outage) string { return fmt.Sprint(int64(o.UnstableFor)) }},
	{"conditions", func(o *outage.Outage) string { return words(o.Conditions) }},
	{"loss", func(o *outage.Outage) string { return o.Loss.String() }},
	{"gone", func(o *outage.Outage) string { return words(o.Gone) }},
	{"protocols", func(o *outage.Outage) string { return words(o.Protocols) }},
	{"smallest_drop", func(o *outage.Outage) string { return o.Power.SmallestDrop.String() }},
	{"detect_total_s", func(o *outage.Outage) string { return fmt.Sprint(int64(o.Power.TotalAfter)) }},
	{"detect_partial_s", func(o *outage.Outage) string { return fmt.Sprint(int64(o.Power.PartialAfter)) }},
	{"revisions", revisions},
}

func end(o *outage.Outage, of func(*outage.Interval) probe.Instant) string {
	if o.End == nil {
		return ""
	}
	return of(o.End).String()
}

// revisions is what was found later and when, like "moved@2026-03-01T07:09:00.000Z".
func revisions(o *outage.Outage) string {
	found := make([]string, len(o.Revisions))
	for i, r := range o.Revisions {
		found[i] = fmt.Sprintf("%s@%v", r.Finding, r.At)
	}
	return words(found)
}

// words is a list in one field, separated by spaces.
func words[T any](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return strings.Join(out, " ")
}
