package agent

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a configuration.
type Problem struct {
	Where Origin // the file and line, the variable or the flag
	Key   string // like "probe.round"; "" where the file is no TOML
	Value string // as TOML; "" where the key itself is wrong or missing
	What  string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Where != "" && p.Where != fromDefault {
		fmt.Fprintf(&b, "%s: ", p.Where)
	}
	b.WriteString(p.Key)
	if p.Value != "" {
		fmt.Fprintf(&b, " = %s", p.Value)
	}
	if p.Key != "" {
		b.WriteString(": ")
	}
	return b.String() + p.What
}

// ConfigError is every problem found in a configuration, in the order found.
type ConfigError struct {
	Problems []Problem
}

func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// rawLiteral prints a value that came out of TOML, for messages.
func rawLiteral(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = rawLiteral(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		return "{...}"
	}
	return fmt.Sprint(value)
}

// nearestKey is the known key that a wrong one was most likely meant to be, or "".
func nearestKey(key string, known []string) string {
	best, least := "", len(key)
	for _, k := range known {
		d := editDistance(key, k)
		if lastPart(key) == lastPart(k) {
			d = min(d, 2) // the right key in the wrong table
		}
		if d < least {
			best, least = k, d
		}
	}
	if least > max(2, len(lastPart(key))/2) {
		return ""
	}
	return best
}

func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// editDistance is Levenshtein's, by bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// unknownKey is the problem of a key that no setting has.
func unknownKey(where Origin, key string, value any) Problem {
	p := Problem{Where: where, Key: key, What: "unknown key"}
	if value != nil {
		p.Value = rawLiteral(value)
	}
	var known []string
	for _, s := range settings(DefaultConfig()) {
		known = append(known, s.key)
	}
	eachField(reflect.ValueOf(&NotifyConfig{}).Elem(), func(name string, _ reflect.Value) {
		known = append(known, "notify."+name)
	})
	if near := nearestKey(notifyIndex.ReplaceAllString(key, ""), known); near != "" {
		p.What += fmt.Sprintf("; did you mean %s?", near)
	}
	return p
}
