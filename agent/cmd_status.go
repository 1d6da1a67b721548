package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

// The exit codes of `status --exit-code`, as monitoring plugins have them.
const (
	statusUp      = 0
	statusPartial = 1
	statusTotal   = 2
	statusElse    = 3 // all else, failures included
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: statusName, Short: "Say how things stand", GroupID: groupQuery,
		Args: func(c *cobra.Command, args []string) error { return a.statusFailure(noArgs(c, args)) },
		Long: "Prints the state of the space and of its blocks, and the outages that last.\n" +
			"DROP is the smallest drop of the addresses that answer which would be found, IN how soon, and TOTAL IN how\n" +
			"soon a total outage would be. At 100% only a total outage can be found.\n" +
			"With --exit-code the code tells the space's state: 0 up, 1 partial, 2 total, 3 all else, failures included.",
		Example: "  brownout status\n  brownout status --format json | jq .state\n  brownout status --exit-code > /dev/null",
	}
	q := a.queryOf(c, "table", "json", "csv")
	exit := c.Flags().Bool(exitCodeFlag, false, "tell the space's state by the exit code")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return a.statusFailure(usage(c, err)) })
	c.RunE = func(c *cobra.Command, _ []string) error {
		state, err := q.status(c.Context())
		if err != nil || !*exit {
			return a.statusFailure(err)
		}
		return exitCode(statusCode(state))
	}
	return c
}

const (
	statusName   = "status"
	exitCodeFlag = "exit-code"
)

// statusFailure is how `status` fails: where the exit code is asked for, 2 would say that the space is dark.
func (a *app) statusFailure(err error) error {
	if err == nil || !asksExitCode(a.args) {
		return err
	}
	a.talk.failure(err)
	return exitCode(statusElse)
}

// asksExitCode looks at the arguments themselves, for those after a wrong one are not parsed.
func asksExitCode(args []string) bool {
	for _, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		switch yes, err := strconv.ParseBool(value); {
		case arg == "--":
			return false
		case name == "--"+exitCodeFlag && (!given || err != nil || yes):
			return true
		}
	}
	return false
}

func statusCode(s outage.State) int {
	switch s {
	case outage.Up:
		return statusUp
	case outage.Partial:
		return statusPartial
	case outage.Total:
		return statusTotal
	}
	return statusElse
}

// answerWait is how long status waits: longer than an agent that lives takes, for who watches by the exit code must hear of one
// that is stuck. Tests wait less.
var answerWait = 40 * time.Second

var errStuck = errors.New("the agent listens and does not answer")

// status prints it and returns the space's state.
func (q *query) status(ctx context.Context) (outage.State, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerWait, errStuck)
	defer cancel()
	c, err := q.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer c.close()
	var s web.Status
	if err := c.read(ctx, "status", nil, &s); err != nil {
		if c.running() && context.Cause(ctx) == errStuck {
			err = hint(errStuck, "its log may say why; end it and start it again")
		}
		return 0, err
	}
	switch *q.format {
	case "json":
		return s.State, web.WriteObject(q.app.stdout, &s)
	case "csv":
		q.values.Set("format", "csv")
		return s.State, c.get(ctx, "status", q.values, q.app.stdout)
	}
	q.app.drawStatus(&s)
	return s.State, nil
}

func (a *app) drawStatus(s *web.Status) {
	p := a.paletteOf(a.stdout)
	a.drawHeadline(p, s)
	if len(s.Blocks) == 0 {
		return
	}
	fmt.Fprintln(a.stdout)
	t := a.newColumns("BLOCK", "STATE", "SINCE (UTC)", "ANSWERING", "RATE", "OF", "DROP", "IN", "TOTAL IN")
	t.alignRight(4, 5, 6, 7, 8)
	for _, b := range s.Blocks {
		answering, rate := fmt.Sprintf("%d of %.1f", b.Observed, b.Expected.Float()), percent(b.ResponseRate)
		if b.Expected == 0 {
			answering, rate = fmt.Sprint(b.Observed), ""
		}
		drop, in, total := detectable(&b)
		t.row(b.Block, p.state(b.State), stamp(b.Since), answering, rate, strconv.Itoa(b.Targets), drop, in, total)
	}
	t.print()
	a.drawNotes(s.Blocks)
	if len(s.Ongoing) > 0 {
		fmt.Fprintln(a.stdout)
		a.drawOutages(s.Ongoing)
	}
}

// age says how old a judgement is, or that by this machine's clock it is yet to come.
func age(judged, now probe.Instant) string {
	if judged > now {
		return "this is " + lasting(judged-now) + " ahead of this machine's clock."
	}
	return "this is " + lasting(now-judged) + " old."
}

// detectable is the smallest drop that would be found, and how soon it and a total outage would be.
func detectable(b *outage.BlockStatus) (drop, in, total string) {
	const none = "-"
	if b.State == outage.Learning || b.State == outage.Unobservable || b.Power.TotalAfter == 0 {
		return none, none, none
	}
	drop, in, total = percent(b.Power.SmallestDrop), none, soon(b.Power.TotalAfter)
	if b.Power.PartialAfter != 0 {
		in = soon(b.Power.PartialAfter)
	}
	return drop, in, total
}

// note is a condition, or a reason why a state is unknown, with its evidence.
type note struct {
	what, since, evidence string
	blocks                []string
}

// drawNotes writes what is to be said of the blocks besides their states; what holds of several, once.
func (a *app) drawNotes(blocks []outage.BlockStatus) {
	notes := notesOf(blocks)
	if len(notes) > 0 {
		fmt.Fprintln(a.stdout)
	}
	names := 0
	for _, n := range notes {
		names = max(names, len(n.what)+2)
	}
	for _, n := range notes {
		where := abridgedWords(n.blocks, 4)
		if len(n.blocks) == len(blocks) && len(blocks) > 1 {
			where = "all blocks"
		}
		if n.evidence != "" {
			where += ": " + n.evidence
		}
		a.sheet(names).line(n.what, "since %s UTC in %s", n.since, where)
	}
}

func notesOf(blocks []outage.BlockStatus) []note {
	var notes []note
	add := func(block string, n note) {
		for i := range notes {
			if o := &notes[i]; o.what == n.what && o.since == n.since && o.evidence == n.evidence {
				o.blocks = append(o.blocks, block)
				return
			}
		}
		n.blocks = []string{block}
		notes = append(notes, n)
	}
	for i := range blocks {
		b := &blocks[i]
		if b.Reason != "" {
			add(b.Block, note{what: b.Reason, since: stamp(b.Since)})
		}
		for _, r := range b.Reports {
			add(b.Block, note{what: conditionWord(r.Condition), since: stamp(r.Since), evidence: evidenceWords(&r)})
		}
	}
	return notes
}

// evidenceWords is by which protocols or addresses a condition shows.
func evidenceWords(r *outage.Report) string {
	out := strings.Join(r.Protocols, ", ")
	if len(r.Addresses) == 0 {
		return out
	}
	if out != "" {
		out += ": "
	}
	return out + abridged(r.Addresses, 4)
}

func (a *app) drawHeadline(p palette, s *web.Status) {
	switch {
	case s.Judged == nil && s.Agent == nil:
		fmt.Fprintln(a.stdout, "Nothing has been judged yet, and no agent is running.")
		return
	case s.Judged == nil:
		fmt.Fprintln(a.stdout, "Nothing has been judged yet.")
	case s.Was != nil && *s.Was != s.State:
		fmt.Fprintf(a.stdout, "The space was %s when it was last judged, %s UTC. No round was run since: it is %s.\n", p.state(*s.Was), stamp(*s.Judged), p.state(s.State))
	default:
		fmt.Fprintf(a.stdout, "The space is %s, judged up to %s UTC.\n", p.state(s.State), stamp(*s.Judged))
	}
	if s.Agent == nil {
		fmt.Fprintf(a.stdout, "%s\n", p.faint("No agent is running: "+age(*s.Judged, probe.InstantOf(time.Now()))))
		return
	}
	line := "The agent runs since " + stamp(s.Agent.Started) + " as " + s.Agent.Vantage
	if r := s.Agent.Round; r != nil && r.Planned > 0 {
		line += fmt.Sprintf("; round of %s: %d%% sent, %d answered", r.Start.Time().Format(time.TimeOnly), 100*r.Sent/r.Planned, r.Answered)
	}
	fmt.Fprintln(a.stdout, p.faint(line+"."))
	switch {
	case !s.Agent.Checked && !s.Agent.Healthy:
		fmt.Fprintln(a.stdout, "Too few vouch for its connectivity (vantage.references): it declares no total outage.")
	case !s.Agent.Checked:
		fmt.Fprintln(a.stdout, "Too few vouch for its connectivity (vantage.references), as acknowledged: silence counts unchecked.")
	case !s.Agent.Healthy:
		fmt.Fprintln(a.stdout, "Its own connectivity is in doubt: silence is not counted.")
	}
}
