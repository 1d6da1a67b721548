package agent

import (
	"sync"

	"brownout/probe"
	"brownout/probe/outage"
)

// ahead reads rounds in a goroutine of its own, some before they are asked for: to parse them takes as long as to judge them.
type ahead struct {
	rounds  chan readRound
	ended   chan struct{}
	running sync.WaitGroup
}

type readRound struct {
	round *probe.Round
	err   error
}

const roundsAhead = 64

func readAhead(in outage.RoundSource) *ahead {
	a := &ahead{rounds: make(chan readRound, roundsAhead), ended: make(chan struct{})}
	a.running.Go(func() {
		for {
			r, err := in.Next()
			select {
			case a.rounds <- readRound{r, err}:
			case <-a.ended:
				return
			}
			if err != nil {
				close(a.rounds)
				return
			}
		}
	})
	return a
}

// Next is the next round, or the error that ended the source.
func (a *ahead) Next() (*probe.Round, error) {
	next := <-a.rounds
	return next.round, next.err
}

// stop ends the reading.
func (a *ahead) stop() {
	close(a.ended)
	a.running.Wait()
}
