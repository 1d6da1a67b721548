package web

import (
	"testing"

	"brownout/probe/outage"
)

// TestOutagesAreCountedOnce: an outage that is told of again after its end, for a revision, is none more; nor is one that was
// declared before the agent started, and ends now.
func TestOutagesAreCountedOnce(t *testing.T) {
	o := func(id string, kind outage.State, status outage.Status) outage.Findings {
		return outage.Findings{Outages: []outage.Outage{{ID: id, Block: outage.SpaceBlock, Kind: kind, Status: status}}}
	}
	m := NewMetrics(MetricsConfig{Known: []outage.Outage{{ID: "before", Block: outage.SpaceBlock, Kind: outage.Partial, Status: outage.Ongoing}}})
	for _, f := range []outage.Findings{
		o("before", outage.Partial, outage.Ended), o("before", outage.Partial, outage.Ended), // a late reply revises it
		o("now", outage.Total, outage.Ongoing), o("now", outage.Total, outage.Ended), o("now", outage.Total, outage.Ended),
	} {
		m.Found(f)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"partial": 0, "total": 1}
	for _, f := range families {
		if f.GetName() != "brownout_outages_total" {
			continue
		}
		for _, series := range f.GetMetric() {
			kind, got := series.GetLabel()[0].GetValue(), series.GetCounter().GetValue()
			if got != want[kind] {
				t.Errorf("%v %s outages were declared since the start, want %v", got, kind, want[kind])
			}
		}
	}
}
