package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

func (a *app) importCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "import [FILE|-]", Short: "Make a store of exported rounds", GroupID: groupCare,
		Long: "Reads rounds in the interchange format, gzipped or not, from a file or standard input, judges them as they come, and\n" +
			"makes a store of them: the whole store, or none. The store must not exist yet.",
		Example: "  brownout export > rounds.jsonl\n  brownout import --store rebuilt.db rounds.jsonl",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return badUsage(c, "name one file, or - for standard input")
			}
			return nil
		},
	}
	f := configFlagsOf(c)
	f.store(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := a.load(f)
		if err != nil {
			return err
		}
		in, name, err := a.openRounds(c.Context(), args)
		if err != nil {
			return err
		}
		defer in.Close()
		st, err := a.importRounds(cfg.Store.Path, in)
		err = explainInput(c.Context(), err)
		switch {
		case errors.Is(err, fs.ErrExist):
			return hint(err, "name a store that does not exist yet by --store")
		case errors.Is(err, store.ErrLocked):
			return hint(err, "wait for the other import to end, or name another store by --store; nothing was imported by this one")
		case err != nil:
			return hint(fmt.Errorf("%s: %w", name, err), "nothing was imported; the interchange format is JSON Lines, one round a line, by start")
		}
		_, err = fmt.Fprintf(a.stdout, "%s: %s from %v to %v, %s, %s\n", st.Path, countOf(st.Rounds, "round", "rounds"), st.First, st.Last,
			countOf(st.Outages, "outage", "outages"), bytesOf(st.FileSize))
		return err
	}
	return c
}

func (a *app) importRounds(path string, in io.Reader) (store.Stats, error) {
	rounds := probe.NewRoundReader(in)
	first, err := rounds.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return store.Stats{}, err
	}
	o := store.Options{Version: readBuildInfo().Version}
	ahead := readAhead(&oneOfAKind{in: &peeked{first: first, rest: rounds}, line: rounds.Line})
	defer ahead.stop()
	return store.Import(path, o, ahead, outage.Config{BlockBits: rounds.BlockBits()}, a.importProgress())
}

// oneOfAKind refuses rounds of the same start and kind, by which a store knows a round.
type oneOfAKind struct {
	in    outage.RoundSource
	line  func() int // the number of the round's line
	start probe.Instant
	kinds []probe.Kind // of the rounds that start then
}

// Next is the next round.
func (o *oneOfAKind) Next() (*probe.Round, error) {
	r, err := o.in.Next()
	if err != nil {
		return nil, err
	}
	if r.Start != o.start {
		o.start, o.kinds = r.Start, o.kinds[:0]
	}
	if slices.Contains(o.kinds, r.Kind) {
		return nil, &probe.LineError{Line: o.line(), Err: fmt.Errorf("a second %v that starts at %v: a store keeps one, with all its protocols; put them into one line", r.Kind, r.Start)}
	}
	o.kinds = append(o.kinds, r.Kind)
	return r, nil
}

// importProgress tells a terminal how far an import got; nil elsewhere.
func (a *app) importProgress() func(rounds int) {
	if !isTerminal(a.stderr) {
		return nil
	}
	return func(rounds int) { fmt.Fprintf(a.stderr, "\r\x1b[Kbrownout: %d rounds imported\r", rounds) }
}
