package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"brownout/probe"
)

// sweepAgain sweeps a space as often as it is told, by the one sweeper that the agent too keeps for all its rounds, and prints
// the addresses that answered every time.
func sweepAgain(target, icmp string, sweeps int, out io.Writer) (err error) {
	space, err := probe.ParseSpace([]string{target}, nil)
	if err != nil {
		return err
	}
	mode, err := probe.ParseICMPMode(icmp)
	if err != nil {
		return err
	}
	const timeout = 500 * time.Millisecond
	sweeper, err := probe.OpenSweeper(probe.SweeperConfig{ICMP: mode, Timeout: timeout, LateWindow: timeout}, []probe.Protocol{probe.ICMP})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sweeper.Close()) }()
	answered := make([]int, space.Len())
	for n := range sweeps {
		order := probe.Order{Space: space, Aims: []probe.Aim{{Protocol: probe.ICMP, Targets: space}}, Seed: uint64(n)}
		sweep, err := sweeper.Start(context.Background(), order)
		if err != nil {
			return err
		}
		<-sweep.Done()
		round, _ := sweep.Round()
		for _, a := range round.Passes[0].Answers {
			if a.Outcome == probe.Reply {
				answered[a.Target]++
			}
		}
	}
	for i, n := range answered {
		if n == sweeps {
			fmt.Fprintln(out, space.Addr(i))
		}
	}
	return nil
}
