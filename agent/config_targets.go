package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"brownout/probe"
)

// expandTargets replaces each "@file" by the words of the file: one target a line, "#" begins a comment. Empty are the files
// that have none.
func (c *Config) expandTargets(list []string) (out, empty []string, err error) {
	for _, item := range list {
		name, ok := strings.CutPrefix(item, "@")
		if !ok {
			out = append(out, item)
			continue
		}
		if name == "" {
			return nil, nil, errors.New("name a file after the @")
		}
		path := c.relative(name)
		words, err := readTargets(path)
		if err != nil {
			return nil, nil, err
		}
		if len(words) == 0 {
			empty = append(empty, path)
		}
		out = append(out, words...)
	}
	return out, empty, nil
}

// byteOrderMark begins files that editors of some systems write.
const byteOrderMark = "\ufeff"

func readTargets(path string) ([]string, error) {
	data, err := readWhole(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %s", path, cause(err))
	}
	var out []string
	line := 0
	for text := range strings.Lines(strings.TrimPrefix(string(data), byteOrderMark)) {
		line++
		text, _, _ = strings.Cut(text, "#")
		for _, word := range strings.FieldsFunc(text, isTargetSeparator) {
			if _, err := probe.ParseSpace([]string{word}, nil); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, line, err)
			}
			out = append(out, word)
		}
	}
	return out, nil
}

func isTargetSeparator(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) }

// nobodys hold no address of one host: unspecified and "this network" (RFC 791), multicast, the limited broadcast (RFC 919).
var nobodys = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("255.255.255.255/32"),
	netip.MustParsePrefix("::/128"), netip.MustParsePrefix("ff00::/8"),
}

// isUnicast reports whether none of a prefix is anything but a host's address.
func isUnicast(p netip.Prefix) bool {
	return !slices.ContainsFunc(nobodys, p.Overlaps)
}

// labPrefixes may be probed at any rate and without a contact: they reach nobody. 198.18.0.0/15 is for benchmarks
// (RFC 2544, RFC 6890).
var labPrefixes = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("198.18.0.0/15"),
}

// isLab reports whether a prefix lies in loopback or 198.18.0.0/15.
func isLab(p netip.Prefix) bool {
	for _, lab := range labPrefixes {
		if p.Bits() >= lab.Bits() && lab.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// isLabSpace reports whether all of a space does.
func isLabSpace(s probe.Space) bool {
	for _, p := range s.Prefixes() {
		if !isLab(p) {
			return false
		}
	}
	return true
}
