package agent

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// Who only asks is answered in spite of mistakes in the file, but never about a store that may not be the one meant.
func TestAskWithMistakes(t *testing.T) {
	const broken = "[probe\ncontact = \"a@example.org\"\n"
	other := filepath.Join(t.TempDir(), "other.db")
	for _, c := range []struct {
		name, text string
		flags      []FlagValue
		want       string // the store; "": refused
	}{
		{"no TOML, no store", broken, nil, "/state/brownout.db"},
		{"no TOML, a comment", "# [store]\n# path = \"/x\"\n" + broken, nil, "/state/brownout.db"},
		{"no TOML before", broken + "[store] # ours\npath = \"/a.db\"\n[log]\nlevel = \"info\"\n", nil, "/a.db"},
		{"no TOML after", "[store]\npath = \"/a.db\"\n" + broken, nil, "/a.db"},
		{"relative", broken + "[store]\npath = \"a.db\"\n", nil, "DIR/a.db"},
		{"an open string", "[about]\npurpose = \"research\n[store]\npath = \"/a.db\"\n", nil, "/a.db"},
		{"no path in the store", broken + "[store]\nkeep_rounds_days = 90\n", nil, "/state/brownout.db"},
		{"in the store", "[store]\npath = \"/a.db\n", nil, ""},
		{"twice", broken + "[store]\npath = \"/a.db\"\n[store]\npath = \"/b.db\"\n", nil, ""},
		{"a key twice", "[store]\npath = \"/a.db\"\npath = \"/b.db\"\n", nil, ""},
		{"dotted", "store.path = \"/a.db\"\n" + broken, nil, ""},
		{"by a flag", "[store]\npath = \"/a.db\n", []FlagValue{{"--store", "store.path", other}}, other},
		{"a wrong value elsewhere", "[probe]\nround = 5\n", nil, "/state/brownout.db"},
		{"a wrong value in the store", "[store]\npath = \"/a.db\"\nkeep_rounds_days = 5\n", nil, "/a.db"},
		{"a wrong path", "[store]\npath = 5\n", nil, ""},
		{"an unknown key in the store", "[store]\npfad = \"/a.db\"\n", nil, ""},
		{"a misspelt table", "[stroe]\npath = \"/a.db\"\n", nil, ""},
		{"no table", "path = \"/a.db\"\n", nil, ""},
		{"an unknown key elsewhere, by a flag", "[stroe]\npath = \"/a.db\"\n", []FlagValue{{"--store", "store.path", other}}, other},
	} {
		path := writeConfig(t, c.text)
		cfg, err := LoadConfig(Sources{Path: path, Environ: []string{"STATE_DIRECTORY=/state"}, Flags: c.flags, Asks: true})
		want := strings.Replace(c.want, "DIR", filepath.Dir(path), 1)
		var config *ConfigError
		switch {
		case want == "" && (!errors.As(err, &config) || codeOf(err) != exitUsage):
			t.Errorf("%s: %v", c.name, err)
		case want != "" && (err != nil || cfg.Store.Path != want || len(cfg.mistakes) == 0):
			t.Errorf("%s: %+v, %v, want %s", c.name, cfg, err, want)
		}
	}
}
