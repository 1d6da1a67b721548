package agent

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

func (a *app) watchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "watch", Short: "Watch a running agent live", GroupID: groupQuery, Args: noArgs,
		Long: "Shows what the demo shows, of the agent that runs on the store, or of one elsewhere: the map of the addresses, the\n" +
			"states, the response rate and the outages, as they happen. Where standard output is no terminal, a line is written\n" +
			"for every transition and every hour.",
		Example: "  brownout watch\n  brownout watch --url https://user:password@probe.example:8413",
	}
	f := configFlagsOf(c)
	f.store(c)
	remote := c.Flags().String("url", "", "the `URL` of an agent elsewhere")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ask, err := a.dialWatched(c, f, *remote)
		if err != nil {
			return err
		}
		defer ask.close()
		return a.watch(c.Context(), ask)
	}
	return c
}

// dialWatched finds the agent.
func (a *app) dialWatched(c *cobra.Command, f *configFlags, remote string) (*client, error) {
	if remote != "" {
		ask, err := dialURL(remote)
		if err != nil {
			return nil, usage(c, err)
		}
		return ask, nil
	}
	cfg, err := a.loadToAsk(f)
	if err != nil {
		return nil, err
	}
	ask, err := dial(c.Context(), cfg.Store.Path)
	if err == nil && !ask.running() {
		ask.close()
		err = hint(errors.New("no agent runs on the store: there is nothing to watch"), "start `brownout run`, or look back with `brownout serve`")
	}
	return ask, err
}

// watcher turns an agent's answers and events into what an engine shows.
type watcher struct {
	ask   *client
	view  *liveView
	last  engineView
	read  probe.Instant  // when the round under way was read last
	ended *web.RoundInfo // the latest round that is over, until it has been read as such
}

// watch shows an agent until ctx ends, or the agent does.
func (a *app) watch(ctx context.Context, ask *client) error {
	w := &watcher{ask: ask}
	if err := w.begin(ctx, a); err != nil {
		return err
	}
	defer w.view.close()
	err := w.follow(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return hint(err, "start `brownout watch` again once the agent runs")
}

// begin shows the last day.
func (w *watcher) begin(ctx context.Context, a *app) error {
	var s web.Status
	if err := w.ask.read(ctx, "status", nil, &s); err != nil {
		return err
	}
	var rounds []web.RoundInfo
	if err := w.ask.read(ctx, "rounds", url.Values{"kind": {"round"}, "limit": {"1"}}, &rounds); err != nil {
		return err
	}
	if len(rounds) == 0 {
		return hint(errors.New("the agent has not stored its first round yet"), "try again in a minute")
	}
	r, err := w.round(ctx, rounds[0].Start)
	if err != nil {
		return err
	}
	title := "brownout"
	if s.Agent != nil {
		title = s.Agent.Vantage
	}
	w.view = newLiveView(a.stdout, liveOptions{
		Title: title, Space: r.Space, From: rounds[0].End.Add(-day), // on the agent's clock
		Color: a.paletteOf(a.stdout).on, Terminal: a.drawsOver(a.stdout), Size: func() (int, int) { return terminalSize(a.stdout) },
	})
	if err := w.past(ctx); err != nil {
		return err
	}
	w.last.Round, w.last.Blocks = r, s.Blocks
	w.show(max(w.view.model.now, r.End), outage.Findings{})
	return nil
}

// past takes in the rates, states and outages of the last day.
func (w *watcher) past(ctx context.Context) error {
	since := url.Values{"since": {"-24h"}}
	var rows []outage.Summary
	var changes []outage.Change
	var outages []outage.Outage
	for path, list := range map[string]any{"summaries": &rows, "changes": &changes, "outages": &outages} {
		if err := w.ask.read(ctx, path, since, list); err != nil {
			return err
		}
	}
	for _, e := range asSeen(rows, changes, outages) {
		w.view.model.take(e)
	}
	w.view.model.take(engineView{Now: w.view.model.now, Findings: outage.Findings{Changes: changes}})
	return nil
}

// asSeen is what an engine showed when the rows were written and the outages were declared and ended, in order of time. How
// it came to a kind, or to a revision, is told no more: an outage opens as what it became.
func asSeen(rows []outage.Summary, changes []outage.Change, outages []outage.Outage) []engineView {
	var seen []engineView
	for i := range rows {
		m := &rows[i]
		b := outage.BlockStatus{
			Block: m.Block, State: m.State, Since: m.Start,
			Expected: m.Expected, Observed: m.Observed, Responsive: m.Responsive, Targets: m.Targets,
		}
		b.ResponseRate = outage.Ratio(int64(m.Observed)*10_000, int64(m.Expected))
		for _, c := range changes {
			if c.Block == m.Block && c.State == m.State && c.Since <= m.End {
				b.Since, b.Reason = c.Since, c.Reason
			}
		}
		seen = append(seen, engineView{Now: m.End, Blocks: []outage.BlockStatus{b}})
	}
	for _, o := range outages {
		opened := o
		opened.End = nil
		seen = append(seen, engineView{Now: o.DeclaredAt, Findings: outage.Findings{Outages: []outage.Outage{opened}}})
		if o.End != nil {
			seen = append(seen, engineView{Now: max(o.DeclaredAt, o.End.Latest), Findings: outage.Findings{Outages: []outage.Outage{o}}})
		}
	}
	slices.SortStableFunc(seen, func(a, b engineView) int { return cmp.Compare(a.Now, b.Now) })
	return seen
}

// round reads a round so far, as the agent has stored it.
func (w *watcher) round(ctx context.Context, start probe.Instant) (*probe.Round, error) {
	var b bytes.Buffer
	if err := w.ask.get(ctx, "rounds/"+start.String(), nil, &b); err != nil {
		return nil, err
	}
	return probe.NewRoundReader(&b).Next()
}

// follow takes in events until there are no more.
func (w *watcher) follow(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.ask.base+web.Prefix+"stream", nil)
	if err != nil {
		return fmt.Errorf("ask for the stream: %w", err)
	}
	resp, err := w.ask.live.Do(req)
	if err != nil {
		return fmt.Errorf("ask for the stream: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return readProblem(resp.StatusCode, resp.Body)
	}
	return eachEvent(resp.Body, func(name string, data []byte) error { return w.take(ctx, name, data) })
}

// eachEvent reads server-sent events, each with one line of data, as our own stream writes them.
func eachEvent(in io.Reader, take func(name string, data []byte) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	name := ""
	for lines.Scan() {
		line := lines.Text()
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := take(name, []byte(data)); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	return errors.New("the agent ended the stream")
}

// take takes in an event. Those that a newer agent may tell are let pass.
func (w *watcher) take(ctx context.Context, name string, data []byte) error {
	var m web.Moment
	var f outage.Findings
	var err error
	switch name {
	case "status":
		if err = json.Unmarshal(data, &m); err == nil {
			err = w.status(ctx, &m)
		}
	case "round":
		var info web.RoundInfo
		if err = json.Unmarshal(data, &info); err == nil && info.Kind == probe.Full {
			w.ended = &info
		}
	case "change":
		f.Changes = make([]outage.Change, 1)
		if err = json.Unmarshal(data, &f.Changes[0]); err == nil {
			w.show(w.last.Now, f)
		}
	case "outage":
		f.Outages = make([]outage.Outage, 1)
		if err = json.Unmarshal(data, &f.Outages[0]); err == nil {
			w.show(w.last.Now, f)
		}
	}
	if err != nil {
		return fmt.Errorf("take in the event %q: %w", name, err)
	}
	return nil
}

// readEvery is how often the round under way is read: an agent stores it every minute. Milliseconds.
const readEvery = 20_000

func (w *watcher) status(ctx context.Context, m *web.Moment) error {
	w.last.Judged, w.last.Blocks = m.Judged, m.Blocks
	if err := w.readRound(ctx, m); err != nil {
		return err
	}
	w.show(m.Now, outage.Findings{})
	return nil
}

// readRound reads the round that ended last once it is stored, or else, now and then, the one under way. Until anything of
// that is stored, the one before is shown.
func (w *watcher) readRound(ctx context.Context, m *web.Moment) error {
	var start probe.Instant
	switch {
	case w.ended != nil:
		start = w.ended.Start
	case m.Agent != nil && m.Agent.Round != nil && m.Now >= w.read.Add(readEvery):
		w.read, start = m.Now, m.Agent.Round.Start
	default:
		return nil
	}
	r, err := w.round(ctx, start)
	var missing *web.Problem
	switch {
	case errors.As(err, &missing): // it is not stored yet
		return nil
	case err != nil:
		return err
	case w.ended == nil && r.End == r.Start, w.ended != nil && r.End < w.ended.End:
		return nil
	}
	w.last.Round, w.ended = r, nil
	return nil
}

func (w *watcher) show(now probe.Instant, f outage.Findings) {
	w.last.Now, w.last.Findings = now, f
	w.view.show(w.last)
}
