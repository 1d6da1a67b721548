package schedule

import (
	"testing"

	"brownout/probe"
)

func TestDue(t *testing.T) {
	s := Schedule{Round: 660_000, Core: 60_000}
	const start = probe.Instant(1_419_264_000_000)
	full, core, missed := 0, 0, int64(0)
	for now := start; now < start+660_000; now += 1000 {
		due := s.Due(now)
		if due.Full {
			full++
		}
		if due.Core {
			core++
		}
	}
	if full != 1 || core != 10 {
		t.Errorf("an 11-minute round has %d full rounds and %d core passes, want 1 and 10", full, core)
	}
	if due := s.Due(start + 660_000); !due.Full || due.Missed != 0 {
		t.Errorf("the next round: %+v", due)
	}
	late := start + 2*660_000 + 700_000
	due := s.Due(late)
	if missed = due.Missed; !due.Full || missed != 700_000 {
		t.Errorf("a round that is later than its length: %+v", due)
	}
	if s.Due(late+659_999).Full || !s.Due(late+660_000).Full {
		t.Error("what was missed is made up for")
	}
}

func TestConfirmIsDueOnce(t *testing.T) {
	s := Schedule{Round: 1000}
	s.Ask()
	s.Ask()
	if !s.Due(5).Confirm || s.Due(6).Confirm {
		t.Error("a confirmation is due once, however often it was asked for")
	}
}

func TestHold(t *testing.T) {
	s := Schedule{Round: 1000}
	s.Hold(500)
	if s.Due(499).Full || !s.Due(500).Full {
		t.Error("a held round begins at another moment")
	}
}

func TestNext(t *testing.T) {
	s := Schedule{Round: 660_000, Core: 60_000}
	const start = probe.Instant(1_419_264_000_000)
	s.Due(start)
	if next := s.Next(start + 1); next != start+60_000 {
		t.Errorf("after the start: %v", next-start)
	}
	s.Due(start + 640_000)
	if next := s.Next(start + 640_001); next != start+660_000 {
		t.Errorf("with a core pass after the next round: %v", next-start)
	}
	s.Ask()
	if next := s.Next(start + 640_002); next != start+640_002 {
		t.Errorf("with a confirmation asked for: %v", next-start)
	}
}
