package web

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// WriteList writes a JSON array with one object a line: the form of every list, here and on the command line.
func WriteList[T any](w io.Writer, list []T) error {
	return writeSeq(w, each(list))
}

func writeSeq[T any](w io.Writer, list iter.Seq2[*T, error]) error {
	n := 0
	for v, err := range list {
		if err != nil {
			return err
		}
		line, err := encode(v)
		if err != nil {
			return err
		}
		lead := ",\n"
		if n == 0 {
			lead = "[\n"
		}
		if _, err := io.WriteString(w, lead+string(line)); err != nil {
			return err
		}
		n++
	}
	end := "\n]\n"
	if n == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return err
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

// column is one of a CSV table.
type column[T any] struct {
	name string
	of   func(*T) string
}

// writeCSV writes RFC 4180 with a header line.
func writeCSV[T any](w io.Writer, columns []column[T], list iter.Seq2[*T, error]) error {
	out := csv.NewWriter(w)
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = c.name
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for v, err := range list {
		if err != nil {
			return err
		}
		for i, c := range columns {
			row[i] = c.of(v)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// list answers with a list in the format asked for.
func list[T any](a *answer, format string, columns []column[T], seq iter.Seq2[*T, error]) error {
	if format == "csv" {
		a.contentType("text/csv; charset=utf-8")
		return writeCSV(a, columns, seq)
	}
	a.contentType("application/json")
	return writeSeq(a, seq)
}

// object answers with one object.
func object(a *answer, v any) error {
	a.contentType("application/json")
	return WriteObject(a, v)
}

func (a *answer) contentType(s string) { a.w.Header().Set("Content-Type", s) }

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
