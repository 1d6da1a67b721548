package web

import (
	"strings"

	"brownout/probe"
)

// About says who probes, and why: it is published.
type About struct {
	Operator string // who runs it
	Purpose  string // why
	OptOut   string // how to be left alone; "": by the contact
	Contact  string // as it stands in the packets
	Vantage  string
	Settings []Setting // how it probes

	Protocols []string // by which it probes
}

// Setting is a line of how it probes.
type Setting struct{ Name, Value string }

// By says whose observations these are. Of nobody it says that they are not known.
func (a *About) By() string {
	if a == nil {
		return "its operator is not known"
	}
	var parts []string
	for _, s := range []string{a.Operator, a.Contact} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return "its operator has not given a name"
	}
	return "operated by " + strings.Join(parts, ", ")
}

// about is the agent that runs; nil: none does, and a store does not say who filled it.
func (h *handler) about() *About {
	if h.opt.Live == nil {
		return nil
	}
	return &h.opt.About
}

// vantage is from where the latest round was observed or, before there is one, from where the agent is about to.
func (h *handler) vantage(latest *probe.Round) string {
	switch {
	case latest != nil:
		return latest.Vantage
	case h.opt.Live != nil:
		return h.opt.Live().Vantage
	}
	return ""
}

// aboutRound is how a round probed, as far as it says so itself.
func aboutRound(r *probe.Round) (a About) {
	if r == nil {
		return a
	}
	for i := range r.Passes {
		a.Protocols = append(a.Protocols, r.Passes[i].Protocol.String())
	}
	a.Settings = []Setting{
		{"Vantage", orNotKnown(r.Vantage)},
		{"Probed", joinWords(r.Space.Prefixes()) + " (" + addressesWords(r.Space.Len()) + ")"},
		{"Protocols", strings.Join(a.Protocols, ", ")},
		{"A probe waited", r.Timeout.String()},
	}
	if r.Span > 0 {
		a.Settings = append(a.Settings, Setting{"A round was spread over", r.Span.String()})
	}
	return a
}

func orNotKnown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// sentBy is what whoever is probed by protocols may see.
func sentBy(protocols []string) (out []string) {
	var tcp bool
	for _, p := range protocols {
		switch {
		case p == "icmp":
			out = append(out, "ICMP echo requests, with the contact in each.")
		case p == "dns":
			out = append(out, "DNS questions to port 53.")
		case !tcp:
			tcp = true
			out = append(out, "TCP connections to a few ports, closed at once when accepted. Nothing is sent over them.")
		}
	}
	return out
}
