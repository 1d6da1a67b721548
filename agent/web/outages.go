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
	limit := a.p.limit(mostRows)
	if err := a.p.done(); err != nil {
		return err
	}
	all, err := h.src.Outages()
	if err != nil {
		return err
	}
	if block != "" && !slices.ContainsFunc(all, func(o outage.Outage) bool { return o.Block == block }) {
		if err := h.isBlock(block); err != nil {
			return err
		}
	}
	all = slices.DeleteFunc(all, func(o outage.Outage) bool {
		return !blocks && block == "" && o.Block != outage.SpaceBlock || block != "" && o.Block != block ||
			status != "" && string(o.Status) != status || kind != "" && o.Kind.String() != kind || !overlaps(&o, from, to)
	})
	slices.SortFunc(all, outage.CompareOutages)
	all = latest(all, limit)
	if format == "codf" {
		return h.codf(a, all, from, to)
	}
	return h.outageTable(a, format, all)
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
		return h.outageTable(a, format, []outage.Outage{*o})
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

// outageTable answers with outages, as JSON or as CSV.
func (h *handler) outageTable(a *answer, format string, all []outage.Outage) error {
	var judged probe.Instant
	if format == "csv" {
		var err error
		if _, judged, err = h.src.Detector(); err != nil {
			return err
		}
	}
	return whole(a, format, outageColumns(judged), all)
}

// WriteOutagesCSV writes outages one a row. One that lasts is counted up to when it was judged.
func WriteOutagesCSV(w io.Writer, list []outage.Outage, judged probe.Instant) error {
	return writeCSV(w, outageColumns(judged), each(list))
}

func outageColumns(judged probe.Instant) []column[outage.Outage] {
	return slices.Concat(outageHead, []column[outage.Outage]{
		count("total_s", func(o *outage.Outage) int { return o.Seconds(outage.Total, judged) }),
		count("partial_s", func(o *outage.Outage) int { return o.Seconds(outage.Partial, judged) }),
		count("unknown_s", func(o *outage.Outage) int { return o.Seconds(outage.Unknown, judged) }),
	}, outageRest)
}

var outageHead = []column[outage.Outage]{
	text("id", func(o *outage.Outage) string { return o.ID }),
	text("block", func(o *outage.Outage) string { return o.Block }),
	maybe("part_of", func(o *outage.Outage) *string { return o.PartOf }, func(id string, b []byte) []byte { return appendText(b, id) }),
	word("kind", func(o *outage.Outage) outage.State { return o.Kind }),
	text("status", func(o *outage.Outage) string { return string(o.Status) }),
	value("start_earliest", func(o *outage.Outage) probe.Instant { return o.Start.Earliest }),
	value("start_at", func(o *outage.Outage) probe.Instant { return o.Start.At }),
	value("start_latest", func(o *outage.Outage) probe.Instant { return o.Start.Latest }),
	ending("end_earliest", func(i *outage.Interval) probe.Instant { return i.Earliest }),
	ending("end_at", func(i *outage.Interval) probe.Instant { return i.At }),
	ending("end_latest", func(i *outage.Interval) probe.Instant { return i.Latest }),
	count("phases", func(o *outage.Outage) int { return len(o.Phases) }),
}

var outageRest = []column[outage.Outage]{
	text("dark", func(o *outage.Outage) string { return words(o.Dark) }),
	value("expected", func(o *outage.Outage) outage.Decimal { return o.Expected }),
	count("observed", func(o *outage.Outage) int { return o.Observed }),
	value("response_rate", func(o *outage.Outage) outage.Decimal { return o.ResponseRate }),
	value("declared_at", func(o *outage.Outage) probe.Instant { return o.DeclaredAt }),
	count("unstable_for_s", func(o *outage.Outage) int { return int(o.UnstableFor) }),
	text("conditions", func(o *outage.Outage) string { return words(o.Conditions) }),
	value("loss", func(o *outage.Outage) outage.Decimal { return o.Loss }),
	text("gone", func(o *outage.Outage) string { return words(o.Gone) }),
	text("protocols", func(o *outage.Outage) string { return words(o.Protocols) }),
	value("smallest_drop", func(o *outage.Outage) outage.Decimal { return o.Power.SmallestDrop }),
	count("detect_total_s", func(o *outage.Outage) int { return int(o.Power.TotalAfter) }),
	count("detect_partial_s", func(o *outage.Outage) int { return int(o.Power.PartialAfter) }),
	text("revisions", revisions),
}

// ending is a column of a time of the end, if it has ended.
func ending(name string, of func(*outage.Interval) probe.Instant) column[outage.Outage] {
	return maybe(name, func(o *outage.Outage) *outage.Interval { return o.End }, func(i outage.Interval, b []byte) []byte { return of(&i).Append(b) })
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
