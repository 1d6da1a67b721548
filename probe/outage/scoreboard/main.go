package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"brownout/probe/lab"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options is what is played, and how it is printed.
type options struct {
	years   int
	seed    uint64
	cadence lab.Cadence
	format  string
	lapses  bool // whether ours are told, to stderr
}

// run prints the scoreboard and returns the exit code: 0, 1 for a failure, 2 for wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "scoreboard: %v\nhint: go run ./probe/outage/scoreboard -h\n", err)
		return 2
	}
	if err := show(o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "scoreboard: %v\n", err)
		return 1
	}
	return 0
}

func show(o options, stdout, stderr io.Writer) error {
	b, err := play(o)
	if err != nil {
		return err
	}
	if o.lapses {
		for _, l := range b.lapses {
			fmt.Fprintf(stderr, "scoreboard: %s\n", l)
		}
	}
	return b.print(stdout, o.format)
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("scoreboard", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.years, "years", 2, "simulated `years` to score; as many others are played to tune the peers")
	f.Uint64Var(&o.seed, "seed", 1, "of all that is drawn; below 2^32")
	f.DurationVar(&o.cadence.Round, "round", 11*time.Minute, "from one full round to the next")
	f.DurationVar(&o.cadence.Core, "core", 0, "from one of our core passes to the next; 0: none")
	f.StringVar(&o.format, "format", "table", "table, json or csv")
	f.BoolVar(&o.lapses, "lapses", false, "tell every false alarm and miss of ours, and what we do not hold, to stderr")
	o.cadence.Confirm = true
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, o.check(f.Args())
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("arguments %q: there are flags only", rest)
	case o.years < 1:
		return fmt.Errorf("-years %d: at least 1", o.years)
	case o.seed >= 1<<32:
		return fmt.Errorf("-seed %d: below 2^32", o.seed)
	case o.cadence.Round < time.Minute || o.cadence.Round > 2*time.Hour:
		return fmt.Errorf("-round %v: from 1m to 2h", o.cadence.Round)
	case o.cadence.Core < 0:
		return fmt.Errorf("-core %v: not below 0", o.cadence.Core)
	case o.format != "table" && o.format != "json" && o.format != "csv":
		return fmt.Errorf("-format %q is none of table, json, csv", o.format)
	}
	return nil
}
