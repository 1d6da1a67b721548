package web_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

const (
	worldRound = 11 * time.Minute
	hourMS     = 3600_000
	dayMS      = 24 * hourMS
)

// worldStore measures the reference world for so many days: the space is dark for two hours of the last day, one of its /24s
// for three before that, and for one our own link was down. It returns when the last round ended.
func worldStore(t testing.TB, days int64) (*store.Store, probe.Instant) {
	t.Helper()
	m := lab.Reference(1)
	end := m.Start.Add(days * dayMS)
	block := netip.MustParsePrefix("198.18.2.0/24")
	m.Events = []lab.Event{
		{From: end.Add(-14 * hourMS), To: end.Add(-13 * hourMS), Effect: lab.CutsUsOff},
		{From: end.Add(-11 * hourMS), To: end.Add(-8 * hourMS), Effect: lab.Darkens, Prefixes: []netip.Prefix{block}},
		{From: end.Add(-6 * hourMS), To: end.Add(-4 * hourMS), Effect: lab.Darkens},
	}
	s, err := store.Open(filepath.Join(t.TempDir(), "world.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	sim, d := lab.NewSimulation(m, 1), outage.New(outage.Config{})
	var c store.Commit
	at := m.Start
	for ; at < end; at = at.Add(worldRound.Milliseconds()) {
		r := sim.Round(probe.Full, at, worldRound, sim.Aims())
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
		c.Findings.Add(d.Advance(r.End.Add(-1000)))
		if c.Sealed = append(c.Sealed, r); len(c.Sealed) == 128 || at.Add(worldRound.Milliseconds()) >= end {
			commit(t, s, d, &c)
		}
	}
	return s, at
}

func commit(t testing.TB, s *store.Store, d *outage.Detector, c *store.Commit) {
	t.Helper()
	var err error
	if c.Detector, err = d.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	c.Cursor = d.Cursor()
	if err := s.Commit(*c); err != nil {
		t.Fatal(err)
	}
	*c = store.Commit{}
}
