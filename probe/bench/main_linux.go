package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"brownout/probe/lab"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options is what is measured.
type options struct {
	spaces    []int // prefix lengths inside 198.18.0.0/16
	protocols []string
	runs      int
	sweeps    int      // of one process, where it sweeps again and again
	brownout  string   // the program; "": built
	only      []string // words in the names of the probers wanted: any of them
	role      string   // what this process is in the bench: see roles
	target    string   // of a role
	icmp      string   // the kind of ICMP socket of a role
}

// roles are the parts that the bench plays itself, in processes of their own.
var roles = map[string]func(*options) error{
	"far":      func(*options) error { return serveFar() },
	"perhost":  func(o *options) error { return pingEach(o.target, os.Stdout) },
	"sweeps":   func(o *options) error { return sweepAgain(o.target, o.icmp, o.sweeps, os.Stdout) },
	"requests": func(o *options) error { return requestEach(o.target, os.Stdout) },
}

// run measures and returns the exit code: 0, 1 for a failure, 2 for wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v\nhint: go run ./probe/bench -h\n", err)
		return 2
	}
	if role := roles[o.role]; role != nil {
		err = role(&o)
	} else {
		err = confined(&o, stdout, stderr)
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
	return 0
}

// exitCode is that of the program inside the namespace, which has said why.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// confined goes on inside a namespace of its own, with no way out.
func confined(o *options, stdout, stderr io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces, raw sockets and zmap need root")
	}
	inside, code, err := lab.Namespace()
	switch {
	case err != nil:
		return err
	case inside:
		return measureAll(o, stdout, stderr)
	case code != 0:
		return exitCode(code)
	}
	return nil
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var spaces, protocols, only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&spaces, "spaces", "22,16", "prefix `lengths` of the spaces, 16 to 24")
	f.StringVar(&protocols, "protocols", "icmp,tcp,dns", "of icmp, tcp and dns")
	f.IntVar(&o.runs, "runs", 5, "of each prober, alternating")
	f.IntVar(&o.sweeps, "sweeps", 50, "of one process, where it sweeps again and again: at least 2")
	f.StringVar(&o.brownout, "brownout", "", "the `program`; by default it is built")
	f.StringVar(&only, "only", "", "measure only probers with one of these `words`, separated by commas, in their names")
	f.StringVar(&o.role, "role", "", "used by the bench itself")
	f.StringVar(&o.target, "target", "", "used by the bench itself")
	f.StringVar(&o.icmp, "icmp", "auto", "used by the bench itself")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("arguments %q: there are flags only", f.Args())
	}
	for word := range strings.SplitSeq(spaces, ",") {
		bits, err := strconv.Atoi(word)
		if err != nil || bits < 16 || bits > 24 {
			return o, fmt.Errorf("-spaces %s: %q is no length from 16 to 24", spaces, word)
		}
		o.spaces = append(o.spaces, bits)
	}
	o.only = strings.Split(only, ",")
	o.protocols = strings.Split(protocols, ",")
	for _, p := range o.protocols {
		if !slices.Contains([]string{"icmp", "tcp", "dns"}, p) {
			return o, fmt.Errorf("-protocols %s: %q is none of icmp, tcp, dns", protocols, p)
		}
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: at least 1", o.runs)
	}
	if o.sweeps < 2 {
		return o, fmt.Errorf("-sweeps %d: at least 2", o.sweeps)
	}
	return o, nil
}
