package agent

import (
	"context"
	"fmt"
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
		Use: "status", Short: "Say how things stand", GroupID: groupQuery, Args: noArgs,
		Long: "Prints the state of the space and of its blocks, and the outages that last.\n" +
			"With --exit-code the code tells the space's state: 0 up, 1 partial, 2 total, 3 all else, failures included.",
		Example: "  brownout status\n  brownout status --format json | jq .state\n  brownout status --exit-code > /dev/null",
	}
	q := a.queryOf(c, "table", "json", "csv")
	exit := c.Flags().Bool("exit-code", false, "tell the space's state by the exit code")
	c.RunE = func(c *cobra.Command, _ []string) error {
		state, err := q.status(c.Context())
		if !*exit {
			return err
		}
		if err != nil {
			a.talk.failure(err)
			return exitCode(statusElse)
		}
		return exitCode(statusCode(state))
	}
	return c
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

// status prints it and returns the space's state.
func (q *query) status(ctx context.Context) (outage.State, error) {
	c, err := q.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer c.close()
	var s web.Status
	if err := c.read(ctx, "status", nil, &s); err != nil {
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
	t := a.newTable("BLOCK", "STATE", "SINCE (UTC)", "ANSWERING", "EXPECTED", "RATE", "OF", "")
	rightAligned(t, 4, 5, 6, 7)
	for _, b := range s.Blocks {
		rate := percent(b.ResponseRate)
		if b.Expected == 0 {
			rate = ""
		}
		t.AppendRow([]any{b.Block, p.state(b.State), stamp(b.Since), b.Observed, fmt.Sprintf("%.1f", b.Expected.Float()), rate,
			b.Targets, remarks(&b)})
	}
	t.Render()
	if len(s.Ongoing) > 0 {
		fmt.Fprintln(a.stdout)
		a.drawOutages(s.Ongoing)
	}
}

func remarks(b *outage.BlockStatus) string {
	out := b.Reason
	for _, c := range b.Conditions {
		if out != "" {
			out += ", "
		}
		out += string(c)
	}
	return out
}

func (a *app) drawHeadline(p palette, s *web.Status) {
	switch {
	case s.Judged == nil && s.Agent == nil:
		fmt.Fprintln(a.stdout, "Nothing has been judged yet, and no agent is running.")
		return
	case s.Judged == nil:
		fmt.Fprintln(a.stdout, "Nothing has been judged yet.")
	default:
		fmt.Fprintf(a.stdout, "The space is %s, judged up to %s UTC.\n", p.state(s.State), stamp(*s.Judged))
	}
	if s.Agent == nil {
		ago := time.Since(s.Judged.Time())
		fmt.Fprintf(a.stdout, "%s\n", p.faint("No agent is running: this is "+lasting(probe.Instant(ago.Milliseconds()))+" old."))
		return
	}
	line := "The agent runs since " + stamp(s.Agent.Started) + " as " + s.Agent.Vantage
	if r := s.Agent.Round; r != nil && r.Planned > 0 {
		line += fmt.Sprintf("; round of %s: %d%% sent, %d answered", r.Start.Time().Format(time.TimeOnly), 100*r.Sent/r.Planned, r.Answered)
	}
	fmt.Fprintln(a.stdout, p.faint(line+"."))
	if !s.Agent.Healthy {
		fmt.Fprintln(a.stdout, "Its own connectivity is in doubt: silence is not counted.")
	}
}
