package outage_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Others sweep a space in seconds, once in a round, and confirm nothing: the next sweep is the confirmation.

// snapshots is a space of 20 hosts in one /24, swept in 20 s every so often, of which a share of the hosts is silent in some sweeps.
func snapshots(t *testing.T, seed uint64, every time.Duration, hosts, first, sweeps int) *outage.History {
	w := few(t, seed, 20, 0.995)
	w.every = every
	from := simStart.Add(int64(first)*every.Milliseconds() - 60_000)
	dark := between(from, from.Add(int64(sweeps)*every.Milliseconds()))
	w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
		return dark(at, a, p) && slices.IndexFunc(w.hosts, func(h simHost) bool { return h.addr == a }) < hosts
	}
	return w.replayed(first+100, 20*time.Second, whole)
}

// Half of the hosts, or nearly all, that are silent in two sweeps are a partial outage of two rounds.
func TestPartialsOfTwoSnapshots(t *testing.T) {
	found, all := 0, 0
	for _, every := range []time.Duration{11 * time.Minute, time.Hour, 24 * time.Hour} {
		for seed := range uint64(cases(6, 50)) {
			first, round := 150+int(seed), every.Milliseconds()
			h := snapshots(t, seed, every, []int{10, 18}[seed%2], first, 2)
			began := simStart.Add(int64(first)*round - 60_000)
			ended, second := began.Add(2*round), began.Add(60_000+round+30_000)
			all++
			for _, o := range h.Outages(false) {
				found++
				if o.Kind != outage.Partial || o.End == nil || o.Start.Earliest > began || o.Start.Latest < began || o.End.Earliest > ended || o.End.Latest < ended {
					t.Errorf("every %v, seed %d: %v from %v to %v, want partial from %v to %v", every, seed, o.Kind, o.Start, o.End, began, ended)
				}
				if o.DeclaredAt > second {
					t.Errorf("every %v, seed %d: declared at %v, want by the end of the second sweep, %v", every, seed, o.DeclaredAt, second)
				}
			}
		}
	}
	nineInTen(t, found, all)
}

// Where one sweep finds nobody, and the ones before and after it, a round away, find all, it may have been an outage or a moment:
// that is unknown, neither up nor an outage, and nobody's fault that is learned.
func TestOneDarkSnapshotIsUnknown(t *testing.T) {
	for _, every := range []time.Duration{11 * time.Minute, time.Hour, 24 * time.Hour} {
		for seed := range uint64(cases(4, 50)) {
			first := 150 + int(seed)
			h := snapshots(t, seed, every, 20, first, 1)
			if list := h.Outages(false); len(list) != 0 {
				t.Errorf("every %v, seed %d: the outages %v, want none", every, seed, list)
			}
			round := every.Milliseconds()
			at := simStart.Add(int64(first) * round)
			for _, s := range outage.Timeline(h.Changes, h.Until) {
				switch {
				case s.State == outage.Unobservable || s.State == outage.Learning:
				case s.State == outage.Unknown:
					if s.Start < at.Add(-round) || s.Start > at || s.End < at.Add(round) || s.End > at.Add(round+20_000) {
						t.Errorf("every %v, seed %d: unknown from %v to %v, want around %v", every, seed, s.Start, s.End, at)
					}
				case s.Start < at && s.End > at:
					t.Errorf("every %v, seed %d: %v is %v at %v", every, seed, s.Block, s.State, at)
				}
			}
		}
	}
}
