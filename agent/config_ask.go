package agent

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"brownout/agent/web"
)

// meansStore reports whether it is clear which store is meant, whatever else is wrong: that must not hide what an agent knows,
// which took up the file when it was right. Of a file that may not be read, it takes an agent at the default's place.
func (c *Config) meansStore(problems []Problem) bool {
	switch {
	case slices.ContainsFunc(problems, func(p Problem) bool { return p.Key == "store.path" }):
		return false
	case c.namesStore():
		return true
	case c.illegible:
		return false
	case c.hidden && !web.Answers(c.Store.Path):
		return false
	}
	return !slices.ContainsFunc(problems, mayNameStore)
}

// namesStore reports whether a flag or a variable names it, so that the file does not matter.
func (c *Config) namesStore() bool {
	return !c.isDefault("store.path") && !strings.HasPrefix(string(c.Origin("store.path")), c.file+":")
}

// mayNameStore reports whether what is wrong may have been meant to be the store's path.
func mayNameStore(p Problem) bool {
	known := func(s setting) bool { return s.key == p.Key }
	switch {
	case p.Key == "store" || strings.HasSuffix(p.What, "did you mean store.path?"):
		return true
	case strings.HasPrefix(p.Key, "store."):
		return !slices.ContainsFunc(settings(DefaultConfig()), known)
	}
	return false
}

var storeTable = regexp.MustCompile(`^\s*\[\s*store\s*\]\s*(#.*)?$`)

// storeOf reads the table [store] of a file that as a whole is no TOML: a mistake elsewhere does not change which store is
// meant. It is not ok where that cannot be told: where the table itself is wrong, or where something else may name the store.
func storeOf(data []byte) (entries []entry, ok bool) {
	first, last, inside := -1, -1, false
	lines := bytes.Split(data, []byte("\n"))
	for i, line := range lines {
		line = bytes.TrimSpace(line)
		switch {
		case storeTable.Match(line):
			if first >= 0 {
				return nil, false
			}
			first, inside = i, true
		case bytes.HasPrefix(line, []byte("[")):
			inside = false
		}
		if inside {
			last = i + 1
		} else if !bytes.HasPrefix(line, []byte("#")) && bytes.Contains(line, []byte("store")) {
			return nil, false
		}
	}
	if first < 0 {
		return nil, true
	}
	entries, err := parseTOML(bytes.Join(lines[first:last], []byte("\n")))
	for i := range entries {
		entries[i].line += first
	}
	return entries, err == nil
}
