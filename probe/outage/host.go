package outage

import (
	"net/netip"

	"brownout/probe"
)

// host is an address that has answered at least once.
type host struct {
	Addr     netip.Addr
	Block    int32   // index of its own block; 0 where the space is the only one
	Areas    []int32 // the prefixes that hold it, from the space down
	Services []int32
	Silent   bool          // its last observation was a silence
	SilentAt probe.Instant // send time of that silence
	SilentBy probe.Instant // by when that was sent
	VainAt   probe.Instant // and of the latest probe that says nothing: our own sight was bad, or it could not be sent
	Own      int64         // millionths: the chance that it was the host's own, and not the path's
	Lived    probe.Instant // send time of its latest life
	Since    probe.Instant // and of the first silence after it; 0: none
	SinceBy  probe.Instant // by when that was sent
	Counted  bool          // a later one has counted in its place, see straddles
	Company  int64         // how many hosts may have left together with it, itself included, as of the round that began last; 0: not counted
	Weight   int64         // micro-nats against "up" of all silences since
	Back     Interval      // its latest return: after the last silence, and before the first life arrived; At: sent
	BackBy   probe.Instant // by when that last silence was sent
	Left     probe.Instant // send time of the life before that silence
	First    probe.Instant // when it was first seen to live, since it last moved away; EndOfTime: not since
	New      bool          // it was not there when its block was learned, and is not yet taken for usual
	Hours    seasons
	Season   int64 // millionths: how much less it answers in this hour of the day than in all; at most 1
	Answers  bool  // in the latest observation of at least one service

	Expected int64 // millionths: its chance to answer a round by any service, at this hour of the day
	AllDay   int64 // the same, at any
	Usual    bool
}

// service is one protocol of a host. Its counts forget: they are sums over full rounds while its block was up, weighted
// by (1 - 1/forgetting) per round, or per round after life or silence those of such rounds, in units of 1/counted.
type service struct {
	Host  int32
	Code  uint32 // of its protocol
	Known probe.Instant

	N, Life            int64 // rounds, and those with life
	AfterLifeN         int64 // rounds that followed life of the host
	AfterLifeSilent    int64 // and were silent
	AfterSilenceN      int64
	AfterSilenceSilent int64

	Answers  bool   // in its latest observation
	FastRTT  uint32 // microseconds: the fastest of late, drifting up slowly
	RTTs     uint32 // how many FastRTT stands on
	Fresh    trial  // of the full round under way
	Held     trial  // of the one before: learned once the block proves to have been up
	Missed   misses // that had nothing of it
	Reliable bool   // has a baseline
	Mean     int64  // millionths: availability
	Expected int64  // the same at this hour of the day
}

func (s *service) protocol() probe.Protocol {
	p, _ := probe.ProtocolOf(s.Code) // the code came from a protocol
	return p
}

// mostMissed is how many full rounds in a row may have nothing of a service or a protocol before what it said last is of the past.
const mostMissed = 4

// misses counts full rounds in a row, up to mostMissed.
type misses uint8

// add counts one more, and reports whether there are too many.
func (m *misses) add() bool {
	*m = min(*m+1, mostMissed)
	return *m == mostMissed
}

// trial is what a full round said of a service, and after what.
type trial uint8

const (
	noTrial trial = iota
	lifeAfterLife
	silenceAfterLife
	lifeAfterSilence
	silenceAfterSilence
)

func trialOf(life, afterSilence bool) trial {
	t := lifeAfterLife
	if !life {
		t = silenceAfterLife
	}
	if afterSilence {
		t += lifeAfterSilence - lifeAfterLife
	}
	return t
}

func (t trial) life() bool { return t == lifeAfterLife || t == lifeAfterSilence }

// learn counts a trial.
func (s *service) learn(t trial) {
	life := t.life()
	s.N = forget(s.N) + counted
	s.Life = forget(s.Life)
	if life {
		s.Life += counted
	}
	n, silent := &s.AfterLifeN, &s.AfterLifeSilent
	if t >= lifeAfterSilence {
		n, silent = &s.AfterSilenceN, &s.AfterSilenceSilent
	}
	*n, *silent = forget(*n)+counted, forget(*silent)
	if !life {
		*silent += counted
	}
}

func forget(n int64) int64 { return n - n/forgetting }

// availability is the chance, in millionths, that the service answers a round: the mean of a Beta distribution with
// Jeffreys' prior.
func (s *service) availability() int64 {
	return (s.Life + counted/2) * million / (s.N + counted)
}

// hasBaseline tells a service that answers now and then from one that answered once or twice by chance. Of many that rarely
// answer, the first few lives are seen of the lucky: more of them are waited for.
func (s *service) hasBaseline() bool {
	const few, rarely = 3 * counted / 2, 7 * counted / 2
	a := s.availability()
	return a >= million/2 && s.Life >= few || a >= leastSilence && s.Life >= rarely
}

// silenceAfterLife is the chance in millionths that the service is silent though its block is up and its host just lived.
func (s *service) silenceAfterLife() int64 {
	prior := million - s.Mean
	return (s.AfterLifeSilent*million + 2*counted*prior) / (s.AfterLifeN + 2*counted)
}

// silenceAfterSilence is the same where the host was just silent. With no experience, who is silent will mostly stay so.
func (s *service) silenceAfterSilence() int64 {
	prior := max(million-s.Mean, 4*million/5)
	return (s.AfterSilenceSilent*million + 2*counted*prior) / (s.AfterSilenceN + 2*counted)
}

// clockRTT notes an RTT in microseconds.
func (s *service) clockRTT(us uint32) {
	if us == 0 {
		return
	}
	if s.RTTs < 1<<20 {
		s.RTTs++
	}
	if drifted := s.FastRTT + s.FastRTT/256; s.FastRTT == 0 || us < drifted {
		s.FastRTT = us
	} else {
		s.FastRTT = drifted
	}
}
