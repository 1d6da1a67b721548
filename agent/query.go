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
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"brownout/agent/web"
)

// query is a command that asks the API.
type query struct {
	app    *app
	config *configFlags
	format *string
	values url.Values // the parameters
}

// queryOf adds --config, --set, --store and --format to a command.
func (a *app) queryOf(c *cobra.Command, formats ...string) *query {
	q := &query{app: a, config: configFlagsOf(c), values: url.Values{}}
	q.config.store(c)
	q.format = choiceFlag(c, "format", "output", formats...)
	return q
}

// spanFlags adds --since and --until.
func (q *query) spanFlags(c *cobra.Command) {
	q.param(c, "since", "from this `time` on: RFC 3339, unix seconds, or -24h")
	q.param(c, "until", "before this `time`")
}

// param adds a flag that is a parameter of the API.
func (q *query) param(c *cobra.Command, name, use string) {
	c.Flags().Var(&paramFlag{q.values, name, false}, name, use)
}

// paramTruth adds a switch that is a parameter of the API.
func (q *query) paramTruth(c *cobra.Command, name, use string) {
	c.Flags().VarPF(&paramFlag{q.values, name, true}, name, "", use).NoOptDefVal = "true"
}

// dial finds who answers.
func (q *query) dial(ctx context.Context) (*client, error) {
	debug.SetGCPercent(lazyGC)
	cfg, err := q.app.loadToAsk(q.config)
	if err != nil {
		return nil, err
	}
	client, err := dial(ctx, cfg.Store.Path)
	return client, interrupted(err)
}

// interrupted says so of who gave up waiting for an answer.
func interrupted(err error) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return hint(errors.New("interrupted: the answer is not whole"), "ask again; --since and --until ask for less at a time")
}

// lazyGC is GOGC for commands that answer one question and end: most are done before they would have collected at all.
const lazyGC = 400

// stream copies an answer to standard output as it comes.
func (q *query) stream(ctx context.Context, path string) error {
	return q.streamTo(ctx, path, q.app.stdout)
}

func (q *query) streamTo(ctx context.Context, path string, w io.Writer) error {
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	q.values.Set("format", *q.format)
	out := bufio.NewWriter(w)
	err = explainProblem(c.get(ctx, path, q.values, out))
	return errors.Join(err, out.Flush())
}

// answer streams JSON or CSV; for a table it reads the answer into v and calls draw.
func (q *query) answer(ctx context.Context, path string, v any, draw func(running bool) error) error {
	if *q.format != "table" {
		return q.stream(ctx, path)
	}
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.read(ctx, path, q.values, v); err != nil {
		return err
	}
	return draw(c.running())
}

// read reads an answer into what v points to.
func (c *client) read(ctx context.Context, path string, values url.Values, v any) error {
	w := &wanted{into: v}
	if err := explainProblem(c.get(ctx, path, values, w)); err != nil || w.taken {
		return err
	}
	if err := json.Unmarshal(w.Bytes(), v); err != nil {
		return fmt.Errorf("read the answer about %s: %w", path, err)
	}
	return nil
}

// wanted is an answer that a variable is to hold: taken as it is where this process answers, else as JSON.
type wanted struct {
	bytes.Buffer
	into  any // a pointer
	taken bool
}

// Take sets the variable to an answer of its type.
func (w *wanted) Take(answer any) bool {
	to, from := reflect.ValueOf(w.into).Elem(), reflect.Indirect(reflect.ValueOf(answer))
	if w.taken = from.Type().AssignableTo(to.Type()); w.taken {
		to.Set(from)
	}
	return w.taken
}

// explainProblem makes a wrong parameter an error of usage, and adds the next step.
func explainProblem(err error) error {
	var p *web.Problem
	if !errors.As(err, &p) {
		return interrupted(err)
	}
	switch {
	case p.Status == http.StatusBadRequest:
		return &hintError{fmt.Errorf("--%w", err), exitUsage, cmp.Or(parameterHints[p.Parameter], "the command's --help says what it takes")}
	case p.Status == http.StatusNotFound && strings.Contains(p.Detail, "; there are: "):
		return hint(err, "name one of them; `brownout status` lists all blocks")
	case p.Status == http.StatusNotFound:
		return hint(err, "`brownout outages --blocks` and `brownout rounds` list what there is")
	}
	return err
}

const timesHint = "times are RFC 3339 (2014-12-22T16:15:00Z), unix seconds, or before now (-24h, -7d)"

// parameterHints are what parameters take of which a command's help has no list.
var parameterHints = map[string]string{
	"since": timesHint, "until": timesHint, "at": timesHint, "start": timesHint,
	"limit": "a limit is a whole number, like 20; 0 is all there is",
	"block": "a block is `space`, or one of the prefixes that `brownout status` lists, here with --by hour or --by day only",
}

// paramFlag sets a parameter of the API.
type paramFlag struct {
	values url.Values
	name   string
	truth  bool
}

func (f *paramFlag) String() string { return "" }

// Set refuses the empty value, which the API would take for none: a shell makes it of a variable that is not set.
func (f *paramFlag) Set(s string) error {
	if s == "" {
		return errors.New("it is empty: leave the flag out, or give it a value")
	}
	f.values.Set(f.name, s)
	return nil
}

func (f *paramFlag) Type() string {
	if f.truth {
		return "bool"
	}
	return "string"
}
