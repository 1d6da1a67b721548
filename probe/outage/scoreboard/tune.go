package main

import (
	"runtime"
	"sync"
)

// play simulates all years, tunes the peers on the second half, and scores everybody on the first.
func play(o options) (*board, error) {
	all := peers()
	tuning, err := eachYear(o, tuningSeeds, func(y *year) scores { return scoreAll(y, all, nil) })
	if err != nil {
		return nil, err
	}
	tuned := make([]choice, len(all))
	for i := range all {
		tuned[i] = choose(&all[i], tuning.peers[i], tuning.ours.alarms, cells(o.cadence.Round))
	}
	scored, err := eachYear(o, 0, func(y *year) scores { return scoreAll(y, all, tuned) })
	if err != nil {
		return nil, err
	}
	return newBoard(o, all, tuned, scored), nil
}

// tuningSeeds sets the years on which peers are tuned apart from those that are scored.
const tuningSeeds = 1 << 31

// scores is everybody's: of each peer, by setting.
type scores struct {
	ours   *score
	lapses []string // ours
	peers  [][]*score
}

func (s *scores) join(t *scores) {
	if s.ours == nil {
		*s = *t
		return
	}
	s.ours.join(t.ours)
	s.lapses = append(s.lapses, t.lapses...)
	for i := range s.peers {
		for k := range s.peers[i] {
			s.peers[i][k].join(t.peers[i][k])
		}
	}
}

// scoreAll judges a year by all settings, or by the published and the tuned one.
func scoreAll(y *year, all []peer, tuned []choice) scores {
	out := scores{ours: y.score(y.ours), lapses: y.lapses(), peers: make([][]*score, len(all))}
	for i := range all {
		at := all[i].settings()
		if tuned != nil {
			at = []setting{all[i].published, tuned[i].setting}
		}
		for _, at := range at {
			s := y.score(all[i].judge(y, at))
			if tuned == nil {
				s.partial, s.total = timing{holds: s.partial.holds}, timing{holds: s.total.holds} // there are hundreds of settings, and nobody asks
			}
			out.peers[i] = append(out.peers[i], s)
		}
	}
	return out
}

// eachYear simulates years side by side, and joins what becomes of them in their order.
func eachYear(o options, from uint64, what func(*year) scores) (scores, error) {
	done := make([]scores, o.years)
	failed := make([]error, o.years)
	var wait sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range o.years {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			var y *year
			if y, failed[i] = simulate(o.seed<<32+from+uint64(i), o.cadence); failed[i] == nil {
				done[i] = what(y)
			}
		})
	}
	wait.Wait()
	var sum scores
	for i := range done {
		if failed[i] != nil {
			return sum, failed[i]
		}
		sum.join(&done[i])
	}
	return sum, nil
}

// choice is the setting that a peer was tuned to.
type choice struct {
	setting setting
	reached bool // whether it raises no more false alarms than we do, on the years of tuning
}

// choose takes, of the settings that raise no more false alarms than we do, the one that finds most; where there is none,
// the one with the fewest. Of equals it takes the one with fewer alarms, then the first.
func choose(p *peer, of []*score, ours int, all []cell) choice {
	at := p.settings()
	best, reached := 0, of[0].alarms <= ours
	for i := range at {
		within := of[i].alarms <= ours
		if within && !reached || within == reached && better(of[i], of[best], within, all) {
			best, reached = i, within
		}
	}
	return choice{at[best], reached}
}

func better(a, b *score, within bool, all []cell) bool {
	found, was := a.recall(all, isOutage).hits, b.recall(all, isOutage).hits
	if within {
		return found > was || found == was && a.alarms < b.alarms
	}
	return a.alarms < b.alarms || a.alarms == b.alarms && found > was
}
