package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

func (a *app) exportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "export", Short: "Print rounds, or outages, for other programs", GroupID: groupQuery, Args: noArgs,
		Long: "Prints rounds, the oldest first: as JSON Lines in the interchange format, which `brownout replay` and `brownout\n" +
			"import` read; as tidy CSV, one probe a row; or as Parquet, the same typed and compressed, a small part of the size.\n" +
			"With --outages, the outages of all blocks, one a row.",
		Example: "  brownout export > rounds.jsonl\n  brownout export | brownout replay -\n  brownout export --format csv --since -24h\n" +
			"  brownout export --format parquet --since -30d > month.parquet\n  brownout export --outages --format csv",
	}
	q := a.queryOf(c, "jsonl", "csv", "parquet")
	q.spanFlags(c)
	outages := c.Flags().Bool("outages", false, "print the outages of all blocks instead")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case *q.format == "parquet" && isTerminal(a.stdout):
			return badUsage(c, "Parquet is no text: redirect it to a file")
		case *outages:
			return q.exportOutages(c.Context())
		case *q.format == "parquet":
			return q.exportParquet(c.Context())
		}
		return q.exportRounds(c.Context())
	}
	return c
}

// exportRounds streams rounds. JSON Lines of none are nothing at all, not even a header: that is said.
func (q *query) exportRounds(ctx context.Context) error {
	out := &counted{Writer: q.app.stdout}
	err := q.streamTo(ctx, "export", out)
	if err == nil && out.n == 0 {
		q.app.talk.say("there are no rounds to export in that time")
	}
	return err
}

// counted counts what is written.
type counted struct {
	io.Writer
	n int64 // bytes
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// exportParquet reads JSON Lines as they come and writes them as Parquet, here and not in the agent, whose memory is small.
func (q *query) exportParquet(ctx context.Context) error {
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	in, out := io.Pipe()
	defer in.Close()
	go func() {
		buffered := bufio.NewWriterSize(out, 1<<16)
		err := explainProblem(c.get(ctx, "export", q.values, buffered))
		out.CloseWithError(errors.Join(err, buffered.Flush())) // of nil it is io.EOF
	}()
	return writeRoundsParquet(q.app.stdout, probe.NewRoundReader(in))
}

func (q *query) exportOutages(ctx context.Context) error {
	q.values.Set("blocks", "true")
	if *q.format == "csv" {
		return q.stream(ctx, "outages")
	}
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	var list []outage.Outage
	if err := c.read(ctx, "outages", q.values, &list); err != nil {
		return err
	}
	if *q.format == "parquet" {
		var s web.Status
		if err := c.read(ctx, "status", nil, &s); err != nil {
			return err
		}
		var judged probe.Instant
		if s.Judged != nil {
			judged = *s.Judged
		}
		return writeOutagesParquet(q.app.stdout, list, judged)
	}
	return writeLines(q.app.stdout, list)
}

// writeLines writes JSON Lines.
func writeLines[T any](to io.Writer, list []T) error {
	w := bufio.NewWriter(to)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range list {
		if err := e.Encode(&list[i]); err != nil {
			return err
		}
	}
	return w.Flush()
}

// roundSource yields rounds, and io.EOF after the last.
type roundSource interface{ Next() (*probe.Round, error) }

// eachObservation visits every observation of every round.
func eachObservation(in roundSource, f func(*web.Observation) error) error {
	for {
		r, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for o := range web.ObservationsOf(r) {
			if err := f(o); err != nil {
				return err
			}
		}
	}
}
