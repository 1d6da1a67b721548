package agent

import (
	"context"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"brownout/agent/web"
)

// verdict is what the doctor says of one thing.
type verdict string

const (
	verdictOK   verdict = "ok"
	verdictWarn verdict = "warn" // run works, but not as well as it could
	verdictFail verdict = "fail" // run would not start, or be blind
	verdictNone verdict = "none" // not there, or not visible here
)

// finding is one line of the doctor's.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Fix     string  `json:"fix,omitempty"` // what to do, exactly
}

// report is everything the doctor says.
type report struct {
	OK     bool      `json:"ok"` // nothing failed
	Checks []finding `json:"checks"`
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Look for what would keep `run` from seeing", GroupID: groupCare, Args: noArgs,
		Long: "Checks sockets, limits, kernel tables, clock, references, store and configuration, and tells the exact fix.\n" +
			"With --space and --unpaced it tells what would cap a sweep of that space.\n" +
			"Probes nobody but 127.0.0.1, and the configured references. Exit code 1: run would not start, or be blind.",
		Example: "  brownout doctor\n  brownout doctor --space 198.18.0.0/16 --protocols icmp,tcp/80 --unpaced\n  brownout doctor --format json | jq '.checks[] | select(.verdict == \"fail\")'",
	}
	f := configFlagsOf(c)
	f.store(c)
	f.key(c, "space", "space.targets", "`CIDRs` and addresses, with commas, in place of the configured ones")
	f.key(c, "protocols", "probe.protocols", "`list` of icmp, tcp/PORT and dns")
	f.key(c, "round", "probe.round", "`duration` over which a round is spread")
	unpaced := c.Flags().Bool("unpaced", false, "tell what would cap a sweep as fast as nothing is lost")
	format := choiceFlag(c, "format", "output", "table", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r := a.examine(c.Context(), f, *unpaced)
		if *format == "json" {
			if err := web.WriteObject(a.stdout, r); err != nil {
				return err
			}
		} else {
			a.drawReport(r)
		}
		if !r.OK {
			return exitCode(exitFailure)
		}
		return nil
	}
	return c
}

// examine runs every check. Where the configuration cannot be read, the others run with the defaults.
func (a *app) examine(ctx context.Context, f *configFlags, unpaced bool) *report {
	cfg, err := a.load(f)
	if cfg == nil {
		cfg = DefaultConfig()
		cfg.resolve(Sources{Environ: a.env})
	}
	d := &doctor{cfg: cfg, unpaced: unpaced, proc: "/proc"}
	d.configuration(err)
	d.pace()
	d.icmp(ctx)
	d.stamps()
	d.receiveBuffer()
	d.descriptors()
	d.ports()
	d.queue()
	d.own()
	d.neighbours()
	d.conntrack()
	d.clock()
	d.references(ctx)
	d.store()
	r := &report{OK: true, Checks: d.findings}
	for _, f := range d.findings {
		r.OK = r.OK && f.Verdict != verdictFail
	}
	return r
}

func (a *app) drawReport(r *report) {
	p := a.paletteOf(a.stdout)
	t := a.newColumns("CHECK", "", "")
	for _, f := range r.Checks {
		t.row(f.Check, p.verdict(f.Verdict), f.Detail)
	}
	t.print()
	for _, f := range r.Checks {
		if f.Fix != "" {
			fmt.Fprintf(a.stdout, "\n%s: %s\n", p.paint(f.Check, text.Bold), f.Fix)
		}
	}
	fmt.Fprintln(a.stdout)
	if r.OK {
		fmt.Fprintln(a.stdout, "brownout can see from here.")
	} else {
		fmt.Fprintln(a.stdout, "brownout would be blind here: see above.")
	}
}

func (p palette) verdict(v verdict) string {
	color := map[verdict]text.Color{verdictOK: text.FgGreen, verdictWarn: text.FgYellow, verdictFail: text.FgRed, verdictNone: text.Faint}
	return p.paint(string(v), color[v])
}
