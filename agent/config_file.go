package agent

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// entry is one value of a TOML document. Keys of arrays of tables carry an index: "notify[0].type".
type entry struct {
	key   string
	line  int // from 1
	value any // as go-toml decodes into any; nil: the header of a table
}

// parseTOML reads a document into its values in order, each with its line. Values are go-toml's; its parser says where
// they stand, for a decoder alone reports only the first wrong type.
func parseTOML(data []byte) ([]entry, error) {
	doc := map[string]any{}
	if err := toml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	var out []entry
	p := unstable.Parser{}
	p.Reset(data)
	var table any = doc
	var prefix string
	counts := map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		key, line := keyOf(&p, e)
		switch e.Kind {
		case unstable.Table:
			prefix, table = join("", key, counts), descend(doc, key, counts)
			out = append(out, entry{prefix, line, nil})
		case unstable.ArrayTable:
			counts[strings.Join(key, ".")]++
			prefix, table = join("", key, counts), descend(doc, key, counts)
			out = append(out, entry{prefix, line, nil})
		case unstable.KeyValue:
			out = flatten(out, join(prefix, key, nil), line, descend(table, key, nil))
		}
	}
	return out, p.Error()
}

func keyOf(p *unstable.Parser, e *unstable.Node) (key []string, line int) {
	for it := e.Key(); it.Next(); {
		if line == 0 {
			line = p.Shape(it.Node().Raw).Start.Line
		}
		key = append(key, string(it.Node().Data))
	}
	return key, line
}

// join writes a key with dots, and with the index of the latest table where it is an array of tables.
func join(prefix string, key []string, counts map[string]int) string {
	path := ""
	for _, part := range key {
		if path != "" {
			path += "."
		}
		path += part
		if prefix != "" {
			prefix += "."
		}
		prefix += part
		if n := counts[path]; n > 0 {
			prefix += fmt.Sprintf("[%d]", n-1)
		}
	}
	return prefix
}

// descend finds the value of a key, in the latest table of an array of tables.
func descend(v any, key []string, counts map[string]int) any {
	for i, part := range key {
		table, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = table[part]
		if list, ok := v.([]any); ok {
			if n := counts[strings.Join(key[:i+1], ".")]; n > 0 && n <= len(list) {
				v = list[n-1]
			}
		}
	}
	return v
}

// flatten appends a value, or those of an inline table or of an array of them.
func flatten(out []entry, key string, line int, value any) []entry {
	switch v := value.(type) {
	case map[string]any:
		out = append(out, entry{key, line, nil})
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = flatten(out, key+"."+k, line, v[k])
		}
		return out
	case []any:
		if len(v) > 0 && allTables(v) {
			for i := range v {
				out = flatten(out, fmt.Sprintf("%s[%d]", key, i), line, v[i])
			}
			return out
		}
	}
	return append(out, entry{key, line, value})
}

func allTables(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok })
}

// keyAt is the whole key that stands on a line, or "".
func keyAt(data []byte, row int) string {
	p := unstable.Parser{}
	p.Reset(data)
	var prefix string
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.Comment {
			continue
		}
		key, line := keyOf(&p, e)
		if line == row {
			return join(prefix, key, nil)
		}
		if e.Kind != unstable.KeyValue {
			prefix = join("", key, nil)
		}
	}
	return ""
}

// readEntries fills c from a file's entries and returns what is wrong with them.
func (c *Config) readEntries(file string, entries []entry) []Problem {
	var problems []Problem
	fields := map[string]reflect.Value{}
	tables := map[string]bool{}
	for _, s := range settings(c) {
		fields[s.key] = s.field
		tables[strings.SplitN(s.key, ".", 2)[0]] = true
	}
	for _, e := range entries {
		where := Origin(fmt.Sprintf("%s:%d", file, e.line))
		field, ok := fields[e.key]
		if name, isNotify := c.notifyField(e.key); isNotify {
			field, ok = name, name.IsValid()
		}
		switch {
		case strings.HasPrefix(e.key, "notify.") || e.key == "notify" && rawLiteral(e.value) == "[]":
			// the table was told of already; no tables are none
		case e.key == "notify":
			problems = append(problems, Problem{where, e.key, "", "want an array of tables: [[notify]]"})
		case e.value == nil && (tables[e.key] || notifyTable.MatchString(e.key)):
			c.origins[e.key] = where
		case tables[e.key]:
			problems = append(problems, Problem{where, e.key, rawLiteral(e.value), "want a table, like [" + e.key + "]"})
		case !ok:
			problems = append(problems, unknownKey(where, e.key, e.value))
		default:
			if err := assign(field, e.value); err != nil {
				problems = append(problems, Problem{where, e.key, rawLiteral(e.value), err.Error()})
			}
			c.origins[e.key] = where
		}
	}
	return problems
}

// syntaxProblem says where a file is no TOML.
func syntaxProblem(file string, data []byte, err error) Problem {
	var d *toml.DecodeError
	var q *unstable.ParserError
	switch {
	case errors.As(err, &d):
		row, column := d.Position()
		return Problem{
			Where: Origin(fmt.Sprintf("%s:%d", file, row)), Key: keyAt(data, row),
			What: fmt.Sprintf("%s (column %d)", strings.TrimPrefix(d.Error(), "toml: "), column),
		}
	case errors.As(err, &q):
		return Problem{Where: Origin(file), What: q.Message}
	}
	return Problem{Where: Origin(file), What: err.Error()}
}
