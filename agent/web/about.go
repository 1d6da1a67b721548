package web

import "strings"

// About says who probes, and why: it is published.
type About struct {
	Operator string // who runs it
	Purpose  string // why
	OptOut   string // how to be left alone; "": by the contact
	Contact  string // as it stands in the packets
	Vantage  string
	Settings []Setting // how it probes
}

// Setting is a line of how it probes.
type Setting struct{ Name, Value string }

// By says whose observations these are.
func (a *About) By() string {
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
