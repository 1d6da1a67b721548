package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

const testRound = 660_000

// played is a month of a space of 30 hosts, of which one is silent now and then; share is what is left of them.
func played(share func(probe.Instant) float64) *year {
	y := &year{cadence: lab.Cadence{Round: testRound * time.Millisecond}, cells: cells(testRound * time.Millisecond)}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 30 * day / testRound {
		s := sweep{start: lab.ModelStart.Add(int64(i) * testRound), whole: true}
		s.end = s.start.Add(testRound)
		for h := range 30 {
			at := s.start.Add(int64(h) * testRound / 30)
			if float64(h) < 30*share(at) && (h != 7 || rng.IntN(4) > 0) {
				s.answered = append(s.answered, uint16(h))
			}
		}
		y.sweeps = append(y.sweeps, s)
	}
	return y
}

// dips is a share that is lower from one hour after the start to another.
func dips(to float64, fromHour, toHour float64) func(probe.Instant) float64 {
	return func(t probe.Instant) float64 {
		if since := float64(t-lab.ModelStart) / hour; since >= fromHour && since < toHour {
			return to
		}
		return 1
	}
}

func hourAfter(h float64) probe.Instant { return lab.ModelStart.Add(int64(h * hour)) }

// byRounds is the peers that judge full rounds.
func byRounds() map[string]peer {
	out := map[string]peer{}
	for _, p := range peers() {
		if p.name != trinocular().name {
			out[p.name] = p
		}
	}
	return out
}

func TestPeersFindABlackout(t *testing.T) {
	y := played(dips(0, 300, 302))
	for name, p := range byRounds() {
		at := p.published
		at.published = false // ThunderPing's own condition is a test of its own
		said := p.judge(y, at).verdicts
		v := covering(said, hourAfter(301))
		switch {
		case v == nil:
			t.Errorf("%s does not find it", name)
		case v.kind != outage.Total || !v.ended || !contains(v.start, hourAfter(300)) || !contains(v.end, hourAfter(302)):
			t.Errorf("%s: %+v", name, v)
		case v.declared < hourAfter(300) || v.declared > hourAfter(300).Add(2*testRound+latency):
			t.Errorf("%s declares it at %v", name, v.declared)
		}
	}
}

func covering(said []verdict, t probe.Instant) *verdict {
	for i := range said {
		if said[i].start.Latest <= t && t < said[i].until() {
			return &said[i]
		}
	}
	return nil
}

// TestPeersOnPartials has what each threshold sees of 40 % and of 70 % of the space.
func TestPeersOnPartials(t *testing.T) {
	for left, sees := range map[float64]map[string]bool{
		0.4: {"IODA": true, "Richter": true, "as Chocolatine": true, "fixed 50 %": true, "zero replies": false},
		0.7: {"IODA": true, "Richter": false, "as Chocolatine": true, "fixed 50 %": false, "zero replies": false},
	} {
		y := played(dips(left, 300, 303))
		for name, want := range sees {
			p := byRounds()[name]
			v := covering(p.judge(y, p.published).verdicts, hourAfter(302))
			if (v != nil) != want || v != nil && v.kind != outage.Partial {
				t.Errorf("%s of %v of the hosts: %+v", name, left, v)
			}
		}
	}
}

// nightly is a blackout of two hours every night from the tenth day on.
func nightly(t probe.Instant) float64 {
	since := int64(t - lab.ModelStart)
	if since >= 10*day && since%day < 2*hour {
		return 0
	}
	return 1
}

// TestRichterIsBlindedByNights has the failure that the field knows: the minimum of a week becomes 0.
func TestRichterIsBlindedByNights(t *testing.T) {
	y := played(nightly)
	if said := judgeRichter(y, richter().published).verdicts; len(said) > 0 {
		t.Errorf("it finds %v", said)
	}
	for _, p := range []peer{ioda(), fixedHalf(), zeroReplies()} {
		if said := p.judge(y, p.published).verdicts; len(said) != 20 {
			t.Errorf("%s finds %d of 20 nights", p.name, len(said))
		}
	}
}

// TestIODATakesTheNewLevel has a lasting shift become normal after a week.
func TestIODATakesTheNewLevel(t *testing.T) {
	said := judgeIODA(played(dips(0.5, 240, 1e9)), ioda().published).verdicts
	if len(said) != 1 || !said[0].ended {
		t.Fatalf("said %+v", said)
	}
	if got := float64(said[0].end.At-said[0].start.At) / week; got < 0.99 || got > 1.01 {
		t.Errorf("it lasts %.2f weeks", got)
	}
}

func TestThunderPingNeedsMany(t *testing.T) {
	y := played(dips(0, 300, 302))
	if said := judgeThunderPing(y, thunderPing().published).verdicts; len(said) > 0 {
		t.Errorf("of 30 addresses N p (1-p) cannot be 10, and yet: %v", said)
	}
}

func TestInARow(t *testing.T) {
	y := played(dips(0, 300, 300.28)) // two rounds below a half
	for n, want := range map[int]int{1: 1, 2: 1, 3: 0} {
		if said := judgeHalf(y, setting{level: 0.5, inRow: n}).verdicts; len(said) != want {
			t.Errorf("%d in a row: %v", n, said)
		}
	}
}

// scouted is a /24 with A = 0.8 of which the given rounds are silent.
func scouted(n int, silent func(int) bool) *year {
	x := &scout{}
	for i := range n {
		r := scouting{at: lab.ModelStart.Add(int64(i) * trinocularRound), judged: true, availability: 0.8, replies: 0xffff}
		if silent(i) {
			r.replies = 0
		}
		x.rounds = append(x.rounds, r)
	}
	return &year{scouts: []*scout{x}}
}

func TestTrinocular(t *testing.T) {
	y := scouted(30, func(i int) bool { return i >= 10 && i < 20 })
	j := judgeTrinocular(y, trinocular().published)
	if len(j.verdicts) != 1 {
		t.Fatalf("said %+v", j.verdicts)
	}
	v := j.verdicts[0]
	start, end := lab.ModelStart.Add(10*trinocularRound), lab.ModelStart.Add(20*trinocularRound)
	if v.kind != outage.Total || v.start.Latest != start || v.start.Latest-v.start.Earliest != trinocularRound || v.end.Latest != end {
		t.Errorf("%+v", v)
	}
	// One probe while up, five until 0.2^5 has brought the belief below 0.1, three a round for a recovery, two at the end.
	if j.probes < 19+5+9 || j.probes > 19+5+9*4+2 {
		t.Errorf("%d probes", j.probes)
	}
}

func TestTrinocularAbstains(t *testing.T) {
	y := scouted(30, func(i int) bool { return i >= 10 })
	for i := range y.scouts[0].rounds {
		y.scouts[0].rounds[i].judged = false
	}
	if j := judgeTrinocular(y, trinocular().published); len(j.verdicts) > 0 || j.probes > 0 {
		t.Errorf("%+v", j)
	}
}
