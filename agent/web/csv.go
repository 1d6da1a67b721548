package web

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode"
)

// column is one of a CSV table. There may be a million rows: a field is appended, and what needs no quotes is not looked at.
type column[T any] struct {
	name string
	of   func(b []byte, v *T) []byte
}

// text is a column of strings.
func text[T any](name string, of func(*T) string) column[T] {
	return column[T]{name, func(b []byte, v *T) []byte { return appendText(b, of(v)) }}
}

// word is a column of names that need no quotes.
func word[T any, V fmt.Stringer](name string, of func(*T) V) column[T] {
	return column[T]{name, func(b []byte, v *T) []byte { return append(b, of(v).String()...) }}
}

// count is a column of whole numbers.
func count[T any](name string, of func(*T) int) column[T] {
	return column[T]{name, func(b []byte, v *T) []byte { return strconv.AppendInt(b, int64(of(v)), 10) }}
}

// boolean is a column of true and false.
func boolean[T any](name string, of func(*T) bool) column[T] {
	return column[T]{name, func(b []byte, v *T) []byte { return strconv.AppendBool(b, of(v)) }}
}

// value is a column of times or decimals.
func value[T any, V interface{ Append([]byte) []byte }](name string, of func(*T) V) column[T] {
	return column[T]{name, func(b []byte, v *T) []byte { return of(v).Append(b) }}
}

// maybe is a column of values that may be missing: it is empty there. A method expression, like [probe.Instant.Append], appends
// one.
func maybe[T, V any](name string, of func(*T) *V, add func(v V, b []byte) []byte) column[T] {
	return column[T]{name, func(b []byte, v *T) []byte {
		if p := of(v); p != nil {
			return add(*p, b)
		}
		return b
	}}
}

func addUint[V uint8 | uint32](v V, b []byte) []byte { return strconv.AppendUint(b, uint64(v), 10) }

// writeCSV writes RFC 4180 with a header line, its lines ended as Unix does.
func writeCSV[T any](to io.Writer, columns []column[T], list iter.Seq2[*T, error]) error {
	w := bufio.NewWriterSize(to, bufferSize)
	for i, c := range columns {
		w.Write(appendText(comma(w.AvailableBuffer(), i), c.name)) // Flush says whether a write failed
	}
	w.WriteByte('\n')
	for v, err := range list {
		if err != nil {
			return err
		}
		line := w.AvailableBuffer()
		for i := range columns {
			line = columns[i].of(comma(line, i), v)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}

// comma parts a field from the one before.
func comma(b []byte, index int) []byte {
	if index > 0 {
		b = append(b, ',')
	}
	return b
}

// appendText is a field, quoted where encoding/csv would.
func appendText(b []byte, s string) []byte {
	if s != `\.` && !strings.ContainsAny(s, "\",\r\n") && strings.TrimLeftFunc(s, unicode.IsSpace) == s {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}
