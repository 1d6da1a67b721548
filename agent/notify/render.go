package notify

import (
	"bytes"
	"fmt"
	"strings"
	"text/template"
	"time"

	"brownout/probe/outage"
)

// Templates make a notice's title and text. The zero value is the usual ones. A template is executed over the [Notice], and
// has the functions clock (an instant as people read it) and lines (the text of each transition).
type Templates struct {
	Title, Text *template.Template
}

// ParseTemplate reads a template, and proves it on notices of every kind.
func ParseTemplate(text string) (*template.Template, error) {
	t, err := template.New("").Funcs(template.FuncMap{"clock": clock, "lines": lines}).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	for _, n := range []*Notice{TestNotice("test", time.Unix(0, 0)), exampleNotice()} {
		if err := t.Execute(&bytes.Buffer{}, n); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// longestText is what fits the messages of all services (Discord: 2,000 characters, Slack: 3,000, Telegram: 4,096).
const longestText = 1900

// render fills in a notice's title and text.
func (t *Templates) render(n *Notice) {
	n.Title = orTemplate(t.Title, n, titleOf)
	n.Text = shorten(orTemplate(t.Text, n, func(n *Notice) string { return strings.Join(lines(n), "\n") }), longestText)
}

// orTemplate falls back on the usual words where a template fails: a notice must not be lost for it.
func orTemplate(t *template.Template, n *Notice, usual func(*Notice) string) string {
	if t == nil {
		return usual(n)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, n); err != nil {
		return usual(n)
	}
	return b.String()
}

func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}

// titleOf is what happened in a line: the latest of it, and the worst where something darkened.
func titleOf(n *Notice) string {
	last := &n.Transitions[len(n.Transitions)-1]
	title := fmt.Sprintf("brownout %s: %s %s", n.Vantage, n.Subject, headline(last))
	if n.Subject == SubjectVantage || n.Subject == SubjectAgent {
		title = fmt.Sprintf("brownout %s: %s", n.Vantage, headline(last))
	}
	if n.Grouped {
		title += " (unstable: updates are grouped)"
	}
	return title
}

func headline(t *Transition) string {
	switch t.What {
	case Opened, BecameTotal, BecamePartial:
		return map[outage.State]string{outage.Total: "is dark: total outage", outage.Partial: "has a partial outage"}[t.Kind]
	case Ended:
		return fmt.Sprintf("is up again: %s outage ended", t.Outage.Kind)
	case Revised:
		return "outage revised"
	case VantageLost:
		return "this vantage lost its own connectivity"
	case VantageBack:
		return "this vantage is connected again"
	case AgentLate:
		return "rounds were missed"
	}
	return "test"
}

// lines is the text of each transition.
func lines(n *Notice) []string {
	out := make([]string, len(n.Transitions))
	for i := range n.Transitions {
		out[i] = line(&n.Transitions[i])
	}
	return out
}

func line(t *Transition) string {
	o := t.Outage
	if o == nil {
		return strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", clock(t.At), headline(t), t.Detail), ": ")
	}
	switch t.What {
	case Opened:
		return fmt.Sprintf("%s outage since %s (%s to %s)%s%s [%s]", t.Kind, clock(o.Start.At), hour(o.Start.Earliest), hour(o.Start.Latest), answered(t), dark(o), o.ID)
	case BecameTotal, BecamePartial:
		return fmt.Sprintf("%s since %s%s%s [%s]", t.Kind, clock(o.Phases[len(o.Phases)-1].Start.At), answered(t), dark(o), o.ID)
	case Ended:
		return fmt.Sprintf("%s [%s]", over(o), o.ID)
	case Revised:
		return fmt.Sprintf("the outage from %s is held to have been %s [%s]", clock(o.Start.At), held(t.Kind), o.ID)
	}
	return ""
}

// answered says how many answered, where that is known of the kind that is told: an outage's figures are those of its worst
// pass. It was so when it was found; it may be told later.
func answered(t *Transition) string {
	switch {
	case t.Kind == t.Outage.Kind:
		return fmt.Sprintf(": %d of %.1f expected addresses answered", t.Outage.Observed, t.Outage.Expected.Float())
	case t.What == BecamePartial:
		return ": some addresses answered again"
	}
	return ""
}

// over says how long an outage lasted and, where that differs, for how much of it it was as bad as it is called.
func over(o *outage.Outage) string {
	worst, lasted := lasting(o.Length(o.Kind, o.End.At)), lasting(int64(o.End.At-o.Start.At))
	span := fmt.Sprintf("outage from %s to %s, %s", clock(o.Start.At), clock(o.End.At), lasted)
	if worst == lasted {
		return o.Kind.String() + " " + span
	}
	return fmt.Sprintf("%s, %s for %s of it", span, o.Kind, worst)
}

func lasting(ms int64) time.Duration {
	return (time.Duration(ms) * time.Millisecond).Round(time.Second)
}

func hour(t interface{ Time() time.Time }) string { return t.Time().Format("15:04:05") }

func held(kind outage.State) string {
	if kind == outage.Up {
		return "none"
	}
	return kind.String()
}

// dark names the dark prefixes, where they are a part of the block.
func dark(o *outage.Outage) string {
	const most = 4
	if o.Kind == outage.Total || len(o.Dark) == 0 {
		return ""
	}
	names := make([]string, 0, most)
	for _, p := range o.Dark[:min(most, len(o.Dark))] {
		names = append(names, p.String())
	}
	more := ""
	if n := len(o.Dark) - most; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return "; dark: " + strings.Join(names, ", ") + more
}
