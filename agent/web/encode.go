package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
)

// WriteList writes a JSON array with one object a line: the form of every list, here and on the command line.
func WriteList[T any](w io.Writer, list []T) error {
	return writeSeq(w, each(list))
}

// bufferSize is what is written at a time of a long list.
const bufferSize = 32 << 10

func writeSeq[T any](to io.Writer, list iter.Seq2[*T, error]) error {
	w := bufio.NewWriterSize(to, bufferSize)
	lead := "[\n"
	for v, err := range list {
		if err != nil {
			return err
		}
		line, err := appendLine(w.AvailableBuffer(), lead, v)
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		lead = ",\n"
	}
	end := "\n]\n"
	if lead == "[\n" {
		end = "[]\n"
	}
	w.WriteString(end) // Flush says whether it failed
	return w.Flush()
}

// quick is what encodes itself without reflection: of it there may be very many.
type quick interface {
	appendJSON(b []byte) []byte
}

func appendLine(b []byte, lead string, v any) ([]byte, error) {
	b = append(b, lead...)
	if q, ok := v.(quick); ok {
		return q.appendJSON(b), nil
	}
	line, err := encode(v)
	return append(b, line...), err
}

// WriteObject writes one indented object.
func WriteObject(w io.Writer, v any) error {
	line, err := encode(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, line, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// encode is JSON as we write it: nothing is escaped for HTML, and no newline ends it.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// list answers with a list in the format asked for.
func list[T any](a *answer, format string, columns []column[T], seq iter.Seq2[*T, error]) error {
	if format == "csv" {
		a.contentType("text/csv; charset=utf-8")
		return writeCSV(a, columns, seq)
	}
	if t, ok := a.w.(Taker); ok && t.Take([]T(nil)) {
		return give(t, seq)
	}
	a.contentType("application/json")
	return writeSeq(a, seq)
}

// cloner is what a list overwrites by the next also where it points to.
type cloner[T any] interface {
	clone() T
}

// give gives a list as a slice to who takes such.
func give[T any](to Taker, seq iter.Seq2[*T, error]) error {
	var values []T
	for v, err := range seq {
		if err != nil {
			return err
		}
		one := *v
		if c, ok := any(v).(cloner[T]); ok {
			one = c.clone()
		}
		if len(values) == cap(values) {
			values = slices.Grow(values, len(values)+1) // append alone would copy a long list five times
		}
		values = append(values, one)
	}
	to.Take(values)
	return nil
}

// whole answers with a list that is there as a whole.
func whole[T any](a *answer, format string, columns []column[T], values []T) error {
	return list(a, format, columns, each(values))
}

// latest is the end of a list that is in order of time.
func latest[T any](list []T, most int) []T { return list[max(0, len(list)-most):] }

// object answers with one object.
func object(a *answer, v any) error {
	if t, ok := a.w.(Taker); ok && t.Take(v) {
		return nil
	}
	a.contentType("application/json")
	return WriteObject(a, v)
}

// Taker is a ResponseWriter in this process that may want answers as they are: one that it takes is not written as JSON.
type Taker interface {
	// Take is given a slice, or a pointer to a struct. What it takes may be followed by more of the same type: the last counts.
	Take(answer any) bool
}

func (a *answer) contentType(s string) { a.Header().Set("Content-Type", s) }

// each is a slice as a list.
func each[T any](values []T) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for i := range values {
			if !yield(&values[i], nil) {
				return
			}
		}
	}
}
