package notify

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// alertLife is for how long Alertmanager keeps an alert of an agent that says no more: longer than a restart or a reboot.
const alertLife = time.Hour

// alert is one of Alertmanager's API v2. Its labels are its identity.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// alertmanager keeps alerts firing while what they tell of lasts.
type alertmanager struct {
	url     string
	vantage string
	client  *http.Client
	active  map[string]alert // by subject and name
}

// Alertmanager posts alerts to an Alertmanager's URL, and again every minute while they last. What was told of before and
// lasts is in active, by subject.
func Alertmanager(url, vantage string, active map[string]Transition) Sender {
	a := &alertmanager{
		url: strings.TrimSuffix(url, "/") + "/api/v2/alerts", vantage: vantage, client: newClient(), active: map[string]alert{},
	}
	for subject, t := range active {
		n := &Notice{Vantage: vantage, Subject: subject, Transitions: []Transition{t}}
		n.Title, n.Text = titleOf(n), line(&t)
		a.apply(n)
	}
	return a
}

// Send posts what a notice changes, and then takes it for known: until it was posted, nothing changed.
func (a *alertmanager) Send(ctx context.Context, n *Notice) error {
	was := maps.Clone(a.active)
	resolved := a.apply(n)
	err := a.post(ctx, append(resolved, a.firing()...))
	if err != nil {
		a.active = was
	}
	return err
}

// Resend reminds Alertmanager of what lasts.
func (a *alertmanager) Resend(ctx context.Context) error {
	if len(a.active) == 0 {
		return nil
	}
	return a.post(ctx, a.firing())
}

// firing is the alerts that last.
func (a *alertmanager) firing() []alert {
	var list []alert
	for _, key := range slices.Sorted(maps.Keys(a.active)) {
		alert := a.active[key]
		alert.EndsAt = time.Now().Add(alertLife)
		list = append(list, alert)
	}
	return list
}

// The names of alerts.
const (
	alertTotal   = "BrownoutTotalOutage"
	alertPartial = "BrownoutPartialOutage"
	alertVantage = "BrownoutVantageLost"
	alertLate    = "BrownoutAgentLate"
	alertTest    = "BrownoutTest"
)

// apply takes in a notice, and returns what it resolves.
func (a *alertmanager) apply(n *Notice) (resolved []alert) {
	for i := range n.Transitions {
		t := &n.Transitions[i]
		if name := alertName(t); name != "" {
			resolved = append(resolved, a.resolve(n.Subject, t.At, name)...)
			a.active[n.Subject+" "+name] = a.alert(n, t, name)
		}
		switch t.What {
		case Ended, VantageBack:
			resolved = append(resolved, a.resolve(n.Subject, t.At, "")...)
		case AgentLate, "test": // they are over when they are told
			resolved = append(resolved, a.passing(n, t))
		}
	}
	return resolved
}

// alertName is the name of the alert that a transition opens; "": none.
func alertName(t *Transition) string {
	switch {
	case t.What == VantageLost:
		return alertVantage
	case t.What != Opened && t.What != BecameTotal && t.What != BecamePartial:
		return ""
	case t.Kind == outage.Total:
		return alertTotal
	}
	return alertPartial
}

// resolve ends the alerts of a subject, but for the one of a name.
func (a *alertmanager) resolve(subject string, at probe.Instant, but string) (resolved []alert) {
	for _, name := range []string{alertPartial, alertTotal, alertVantage} {
		alert, ok := a.active[subject+" "+name]
		if !ok || name == but {
			continue
		}
		delete(a.active, subject+" "+name)
		alert.EndsAt = later(at.Time(), alert.StartsAt) // Alertmanager refuses what ends before it starts
		resolved = append(resolved, alert)
	}
	return resolved
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// passing is an alert about what is over: it fires for a while, for else nobody would be told.
func (a *alertmanager) passing(n *Notice, t *Transition) alert {
	const shown = 10 * time.Minute
	name := alertLate
	if t.What == "test" {
		name = alertTest
	}
	alert := a.alert(n, t, name)
	alert.EndsAt = time.Now().Add(shown)
	return alert
}

func (a *alertmanager) alert(n *Notice, t *Transition, name string) alert {
	severity := Warning
	if name == alertTotal {
		severity = Critical
	}
	out := alert{
		Labels:      map[string]string{"alertname": name, "vantage": n.Vantage, "severity": string(severity)},
		Annotations: map[string]string{"summary": n.Title, "description": line(t)},
		StartsAt:    t.At.Time(),
	}
	if o := t.Outage; o != nil {
		out.Labels["block"] = o.Block
		out.Annotations["id"] = o.ID
		out.Annotations["response_rate"] = o.ResponseRate.String()
		out.StartsAt = o.Phases[len(o.Phases)-1].Start.At.Time()
	}
	return out
}

func (a *alertmanager) post(ctx context.Context, alerts []alert) error {
	if len(alerts) == 0 {
		return nil
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return err
	}
	return post(ctx, a.client, a.url, body, func(http.Header) {})
}
