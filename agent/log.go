package agent

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"brownout/probe"
)

// newLogger writes structured lines: one a round at info. The level can be changed.
func newLogger(w io.Writer, c LogConfig) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(c.Level)) // the configuration was checked
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), level
	}
	return slog.New(slog.NewTextHandler(w, o)), level
}

// briefly is a space for a line of the log: a long list, such as a file of addresses makes, by how it begins.
func briefly(s probe.Space) string {
	const shown = 16
	list, more := s.Prefixes(), ""
	if n := len(list) - shown; n > 0 {
		list, more = list[:shown], fmt.Sprintf(" and %d more", n)
	}
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = p.String()
	}
	return strings.Join(words, ",") + more
}

func inUTC(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
