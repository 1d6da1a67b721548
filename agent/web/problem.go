package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Problem is an answer that is none: RFC 9457's problem details.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"` // the one that is wrong
}

func (p *Problem) Error() string { return p.Detail }

// answer writes the problem in the form that the asker reads.
func (p *Problem) answer(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		w.Header().Del("Content-Disposition")
		problemPage(w, p)
		return
	}
	p.write(w)
}

func (p *Problem) write(w http.ResponseWriter) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Del("Content-Disposition")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // who went away needs no answer
}

// asProblem is an error as a problem: ours where it is no other.
func asProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "the answer took too long: ask about a shorter time"}
	}
	// What failed may name files of this machine: that is for its log.
	return &Problem{Status: http.StatusInternalServerError, Detail: "the answer could not be worked out: the agent's log says why"}
}

func notFound(detail string) error { return &Problem{Status: http.StatusNotFound, Detail: detail} }

func badParameter(name, detail string) error {
	return &Problem{Status: http.StatusBadRequest, Parameter: name, Detail: name + ": " + detail}
}
