package agent

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

// addresses is so many of 198.18.2.0/24, from .10 on.
func addresses(n int) (out []netip.Addr) {
	for i := range n {
		out = append(out, netip.AddrFrom4([4]byte{198, 18, 2, byte(10 + i)}))
	}
	return out
}

// partialOutage is one that ended, of some hosts of which some had moved.
func partialOutage() *outage.Outage {
	start := outage.Interval{Earliest: instantAt("2014-12-22T10:33:50Z"), At: instantAt("2014-12-22T10:34:00Z"), Latest: instantAt("2014-12-22T10:34:20Z")}
	end := outage.Interval{Earliest: instantAt("2014-12-22T10:59:00Z"), At: instantAt("2014-12-22T10:59:07Z"), Latest: instantAt("2014-12-22T10:59:07Z")}
	rounds := []probe.Instant{instantAt("2014-12-22T10:33:00Z"), instantAt("2014-12-22T10:44:00Z")}
	return &outage.Outage{
		ID: "space-20141222T103420.000Z", Block: outage.SpaceBlock, Kind: outage.Partial, Status: outage.Ended, Start: start, End: &end,
		Phases: []outage.Phase{{Kind: outage.Partial, Start: start, End: &end}}, Dark: []netip.Prefix{netip.MustParsePrefix("198.18.2.0/24")},
		Loss: 1200, Gone: addresses(13), Protocols: []string{"icmp", "tcp/80"}, Expected: 295_000, Observed: 15, ResponseRate: 5085,
		DeclaredAt: instantAt("2014-12-22T10:47:00Z"), Evidence: rounds, Conditions: []outage.Condition{outage.SingleProtocol, outage.Moved},
		Power: outage.Power{SmallestDrop: 2400, TotalAfter: 63, PartialAfter: 1320},
		Revisions: []outage.Revision{
			{At: instantAt("2014-12-22T10:55:00Z"), Finding: outage.LateReply, Kind: outage.Partial, Addresses: addresses(2), Rounds: rounds[:1]},
			{At: instantAt("2014-12-22T10:59:07Z"), Finding: outage.Moved, Kind: outage.Up, Addresses: addresses(64), Rounds: rounds},
		},
	}
}

// TestShowOutage draws outages by every line there is: a whole one, one that an older version stored, and one of few
// addresses.
func TestShowOutage(t *testing.T) {
	old, few := partialOutage(), partialOutage()
	old.Power, old.Loss, old.Gone, old.Protocols, old.Revisions, old.Conditions = outage.Power{}, 0, nil, nil, nil, nil
	few.Dark, few.Gone, few.Power.PartialAfter, few.Power.SmallestDrop = nil, addresses(9), 0, 10_000
	few.End, few.Status, few.Phases[0].End, few.Revisions = nil, outage.Ongoing, nil, few.Revisions[:0]
	var out bytes.Buffer
	for _, o := range []*outage.Outage{partialOutage(), old, few} {
		(&app{stdout: &out}).sheet(13).outage(o)
		fmt.Fprintln(&out)
	}
	fits(t, out.String())
	golden(t, "show.txt", out.String())
}

func TestListMarksRevisedOutages(t *testing.T) {
	plain := *partialOutage()
	plain.Revisions, plain.Kind = nil, outage.Total
	var out bytes.Buffer
	a := &app{stdout: &out}
	a.drawOutages([]outage.Outage{*partialOutage(), plain})
	golden(t, "list.txt", out.String())
}

// TestStatus draws blocks in all states, with conditions of one, of some and of all.
func TestStatus(t *testing.T) {
	since := instantAt("2014-12-22T10:33:00Z")
	report := func(c outage.Condition, n int, protocols ...string) outage.Report {
		return outage.Report{Condition: c, Since: since, Protocols: protocols, Addresses: addresses(n)}
	}
	block := func(name string, s outage.State, p outage.Power, reports ...outage.Report) outage.BlockStatus {
		return outage.BlockStatus{Block: name, State: s, Since: since, Expected: 2_557_000, Observed: 256, ResponseRate: 10_011, Targets: 256,
			Power: p, Reports: append(reports, report(outage.Unstable, 0))}
	}
	full := outage.Power{SmallestDrop: 2000, TotalAfter: 63, PartialAfter: 1320}
	blocks := []outage.BlockStatus{
		block(outage.SpaceBlock, outage.Partial, full, report(outage.Filtering, 0, "icmp")),
		block("198.18.0.0/24", outage.Up, outage.Power{SmallestDrop: 10_000, TotalAfter: 574}, report(outage.Moved, 64)),
		block("198.18.1.0/24", outage.Unobservable, outage.Power{SmallestDrop: 10_000}, report(outage.RateLimited, 0, "icmp")),
		block("198.18.2.0/24", outage.Learning, full, report(outage.RateLimited, 0, "icmp")),
		block("2001:db8:aaaa::/48", outage.Unknown, full, report(outage.RateLimited, 0, "icmp"), report(outage.Middlebox, 3)),
	}
	blocks[4].Reason = "vantage-unverified"
	blocks[2].Expected, blocks[2].Observed = 0, 0
	var out bytes.Buffer
	a := &app{stdout: &out}
	judged := instantAt("2014-12-22T10:59:00Z")
	a.drawStatus(&web.Status{State: outage.Partial, Judged: &judged, Blocks: blocks, Agent: &web.Agent{Started: since, Vantage: "lab", Healthy: true, Checked: true}})
	fits(t, out.String())
	golden(t, "status.txt", out.String())
}

// TestStatusTellsWhetherSilenceCounts: who configured no references is not told that they are silent.
func TestStatusTellsWhetherSilenceCounts(t *testing.T) {
	for want, of := range map[string]web.Agent{
		"as acknowledged: silence counts unchecked": {Healthy: true},
		"it declares no total outage":               {},
		"connectivity is in doubt":                  {Checked: true},
	} {
		var out bytes.Buffer
		judged := instantAt("2014-12-22T10:59:00Z")
		(&app{stdout: &out}).drawStatus(&web.Status{State: outage.Up, Judged: &judged, Agent: &of})
		if strings.Count(out.String(), "connectivity") != 1 || !strings.Contains(out.String(), want) {
			t.Errorf("%+v: %q", of, out.String())
		}
		fits(t, out.String())
	}
}

func fits(t *testing.T, text string) {
	t.Helper()
	for _, l := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(l) > 100 {
			t.Errorf("a line is wider than 100 columns: %q", l)
		}
	}
}

// TestRevisionIsLogged lets the live view tell of what was found later, and of conditions that happen once.
func TestRevisionIsLogged(t *testing.T) {
	var l viewLog
	o := partialOutage()
	before := *o
	before.End, before.Revisions = nil, nil
	l.outage(1, before)
	l.outage(2, *o)
	l.outage(3, *o)
	is := outage.BlockStatus{State: outage.Up, Conditions: []outage.Condition{outage.Moved, outage.Filtering}, Reports: []outage.Report{
		{Condition: outage.Moved, Addresses: addresses(4)}, {Condition: outage.Filtering, Protocols: []string{"icmp"}}}}
	none := outage.BlockStatus{State: outage.Up}
	l.notice(4, none, is)
	l.notice(5, is, none)
	var got strings.Builder
	for _, line := range l.lines {
		fmt.Fprintln(&got, int64(line.At), line.oneLine())
	}
	golden(t, "revised.txt", got.String())
}
