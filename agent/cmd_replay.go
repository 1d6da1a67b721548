package agent

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

func (a *app) replayCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "replay [FILE|-]", Short: "Judge recorded rounds", GroupID: groupMeasure,
		Long: "Reads rounds in the interchange format, gzipped or not, from a file or standard input, and prints the outages that\n" +
			"they show. The same rounds give the same outages, to the byte, as the agent that recorded them. Nothing is probed.",
		Example: "  brownout replay --format table rounds.jsonl\n  brownout export | brownout replay -\n  brownout replay --states rounds.jsonl",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return badUsage(c, "name one file, or - for standard input")
			}
			return nil
		},
	}
	format := choiceFlag(c, "format", "output", "json", "table", "csv")
	blocks := c.Flags().Bool("blocks", false, "add the blocks' own outages")
	states := c.Flags().Bool("states", false, "print the states of every block instead")
	c.RunE = func(c *cobra.Command, args []string) error {
		history, err := a.replay(c.Context(), args)
		if err != nil {
			return err
		}
		if *states {
			return a.printStates(*format, outage.Timeline(history.Changes, history.Until))
		}
		return a.printOutages(*format, history.Outages(*blocks), history.Judged)
	}
	return c
}

// replay judges the rounds of a file or of standard input: all of them or none.
func (a *app) replay(ctx context.Context, args []string) (*outage.History, error) {
	in, name, err := a.openRounds(ctx, args)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer in.Close()
	rounds := probe.NewRoundReader(in)
	first, err := rounds.Next()
	if errors.Is(err, io.EOF) {
		err = errNoRounds
	}
	if err != nil {
		return nil, explainRounds(name, explainInput(ctx, err))
	}
	all := &mixture{RoundSource: &peeked{first: first, rest: rounds}}
	history, err := outage.Replay(outage.Config{BlockBits: rounds.BlockBits()}, all)
	if err != nil {
		return nil, explainRounds(name, explainInput(ctx, err))
	}
	all.warn(a, history)
	return history, nil
}

// errNoRounds is of an input that has none: who judges nothing has not found that there were no outages.
var errNoRounds = errors.New("there are no rounds")

func explainRounds(name string, err error) error {
	return hint(fmt.Errorf("replay %s: %w", name, err), "nothing was judged; the interchange format is JSON Lines, one round a line, by start")
}

// peeked is a source of rounds whose header has been read with the first.
type peeked struct {
	first *probe.Round
	rest  *probe.RoundReader
}

// Next is the next round.
func (p *peeked) Next() (*probe.Round, error) {
	if r := p.first; r != nil {
		p.first = nil
		return r, nil
	}
	return p.rest.Next()
}

// printOutages prints outages as `outages` and the API do.
func (a *app) printOutages(format string, list []outage.Outage, judged probe.Instant) error {
	switch format {
	case "json":
		return web.WriteList(a.stdout, list)
	case "csv":
		return web.WriteOutagesCSV(a.stdout, list, judged)
	}
	a.drawOutages(list)
	return nil
}

func (a *app) printStates(format string, list []outage.Stretch) error {
	switch format {
	case "json":
		return web.WriteList(a.stdout, list)
	case "csv":
		return web.WriteStatesCSV(a.stdout, list)
	}
	p := a.paletteOf(a.stdout)
	t := a.newColumns("BLOCK", "STATE", "START (UTC)", "END (UTC)", "LASTED")
	t.alignRight(4)
	for _, s := range list {
		t.row(s.Block, p.state(s.State), stamp(s.Start), stamp(s.End), lasted(s.End-s.Start))
	}
	t.print()
	return nil
}
