package agent

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"brownout/store"
)

// talk tells the user something on standard error. Every line begins with "brownout: ", and a failure ends with a hint
// that tells the next step.
type talk struct {
	w io.Writer
}

// say prints a line, or several.
func (t talk) say(format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintf(t.w, "brownout: %s\n", line)
	}
}

func (t talk) warn(format string, args ...any) { t.say("warning: "+format, args...) }

func (t talk) hint(next string) { t.say("hint: %s", next) }

const fullHint = "free some space on that disk, and start again: what was stored before is whole"

// isFull reports whether a disk, or what we may have of it, was full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// failure tells why a command failed and returns the exit code. Errors without a hint of their own get the general one.
func (t talk) failure(err error) int {
	code := codeOf(err)
	var quiet exitCode
	if err == nil || errors.As(err, &quiet) {
		return code
	}
	t.say("%v", err)
	var hinted *hintError
	var config *ConfigError
	var record *store.RecordError
	switch {
	case isFull(err): // what else the command would advise does not help
		t.hint(fullHint)
	case errors.As(err, &hinted):
		t.hint(hinted.hint)
	case errors.As(err, &config):
		t.hint("the keys, their units and defaults stand in config.example.toml; `brownout config show` prints what is in effect")
	case errors.As(err, &record):
		t.hint("the store is damaged: `brownout store verify` says how much of it; keep the file, and restore a backup, or move it away")
	default:
		t.hint("`brownout doctor` looks for what is wrong with this machine or the configuration")
	}
	return code
}
