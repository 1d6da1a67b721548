package probe

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

func testSpace(t testing.TB, targets ...string) Space {
	t.Helper()
	s, err := ParseSpace(targets, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sweepNow sweeps a space once, unpaced, by ICMP, and returns the round without waiting for late replies.
func sweepNow(t testing.TB, s *Sweeper, space Space) *Round {
	t.Helper()
	w, err := s.Start(context.Background(), Order{Space: space, Aims: []Aim{{ICMP, space}}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	<-w.Sent()
	r, _ := w.Round()
	return r
}

func openTest(t testing.TB, cfg SweeperConfig, protocols ...Protocol) *Sweeper {
	t.Helper()
	s, err := OpenSweeper(cfg, protocols)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEveryAddressOfASlash22IsFound(t *testing.T) {
	defer goleak.VerifyNone(t)
	enterNamespace(t)
	command(t, "ip route add local 198.18.0.0/22 dev lo")
	sysctl(t, "net/ipv4/ping_group_range", "0 2147483647")
	space := testSpace(t, "198.18.0.0/22")
	for _, mode := range []ICMPMode{ICMPRaw, ICMPDatagram} {
		s, err := OpenSweeper(SweeperConfig{ICMP: mode, Contact: "https://example.org/probe"}, []Protocol{ICMP})
		if err != nil {
			t.Fatal(err)
		}
		for run := range 20 {
			r := sweepNow(t, s, space)
			if got := lives(r, 0); got != 1024 {
				t.Errorf("%s, run %d: %d of 1024 answered, %d unsent", mode, run, got, len(r.Passes[0].Unsent))
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// lives counts the answers of a pass that show life.
func lives(r *Round, pass int) int {
	n := 0
	for _, a := range r.Passes[pass].Answers {
		if a.Outcome.Life() {
			n++
		}
	}
	return n
}
