package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sources is where a configuration comes from. Flags beat the environment, which beats the file.
type Sources struct {
	Path    string      // of --config; "": look it up
	Environ []string    // like os.Environ
	Flags   []FlagValue // in order
	NoFile  bool        // whether to read none but that of Path
	Asks    bool        // whether it is only asked which store is meant: other mistakes are warnings then

	// Defaults, where it is not nil, changes them for a command. A late window of 0 is then the timeout.
	Defaults func(*Config)
}

// FlagValue is a key set on the command line.
type FlagValue struct {
	Flag       string // as the user wrote it: "--store"
	Key, Value string
}

// LoadConfig reads and checks the configuration. What is wrong with it is a *ConfigError that lists every problem.
func LoadConfig(src Sources) (*Config, error) {
	c := DefaultConfig()
	if src.Defaults != nil {
		src.Defaults(c)
	}
	c.credentials, c.service = variable(src.Environ, "CREDENTIALS_DIRECTORY"), variable(src.Environ, "INVOCATION_ID") != ""
	file, err := findConfig(src)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	if file != "" {
		problems = c.readFile(file)
	}
	problems = append(problems, c.readEnviron(src.Environ)...)
	for _, f := range src.Flags {
		problems = append(problems, c.set(Origin(f.Flag), f.Key, f.Value)...)
	}
	c.resolve(src)
	if len(problems) == 0 {
		k := &checker{c: c}
		k.all()
		problems = k.problems
	}
	if src.Asks && c.meansStore(problems) {
		c.mistakes = problems
	} else if len(problems) > 0 {
		return nil, src.refuse(&ConfigError{problems})
	}
	return c, nil
}

// refuse adds the next step to who only asks.
func (src *Sources) refuse(err *ConfigError) error {
	if !src.Asks {
		return err
	}
	return &hintError{err, exitUsage, "it cannot be told from that which store is meant: name it by --store, or see `brownout config check`"}
}

// findConfig is the file to read: --config, $BROWNOUT_CONFIG, or the first that exists of the user's and the system's.
func findConfig(src Sources) (string, error) {
	named, where := src.Path, Origin("--config")
	if named == "" && src.NoFile {
		return "", nil
	}
	if named == "" {
		named, where = variable(src.Environ, "BROWNOUT_CONFIG"), "BROWNOUT_CONFIG"
	}
	if named != "" {
		if _, err := os.Stat(named); err != nil {
			return "", &ConfigError{[]Problem{{Where: where, What: fmt.Sprintf("%s: %s", named, cause(err))}}}
		}
		return named, nil
	}
	for _, path := range defaultConfigPaths(src.Environ) {
		// A home directory that is closed to us, as in containers, holds no configuration of ours.
		if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return path, nil
		}
	}
	return "", nil
}

func defaultConfigPaths(environ []string) []string {
	paths := []string{"/etc/brownout/config.toml"}
	dir := variable(environ, "XDG_CONFIG_HOME")
	if home := variable(environ, "HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, ".config") // the XDG base directory specification's default
	}
	if dir != "" {
		paths = append([]string{filepath.Join(dir, "brownout", "config.toml")}, paths...)
	}
	return paths
}

func (c *Config) readFile(file string) []Problem {
	c.file = file
	data, err := readWhole(file)
	if err != nil {
		c.unread, c.hidden = true, true
		return []Problem{{Where: Origin(file), What: "cannot be read: " + cause(err)}}
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	entries, err := parseTOML(data)
	if err == nil {
		return c.readEntries(file, entries)
	}
	c.unread = true
	problems := []Problem{syntaxProblem(file, data, err)}
	if entries, ok := storeOf(data); ok {
		return append(problems, c.readEntries(file, entries)...)
	}
	c.illegible = true
	return problems
}

// readEnviron applies BROWNOUT_SECTION_KEY variables. One that starts like a section but names no key is a problem;
// others, like those that Kubernetes makes of a service named brownout, are not ours.
func (c *Config) readEnviron(environ []string) []Problem {
	byName, sections := map[string]string{}, map[string]bool{}
	for _, s := range settings(c) {
		name := environmentName(s.key)
		byName[name] = s.key
		sections[strings.SplitN(name, "_", 3)[1]] = true
	}
	var problems []Problem
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		section, key, ok := strings.Cut(strings.TrimPrefix(name, "BROWNOUT_"), "_")
		switch {
		case byName[name] != "":
			problems = append(problems, c.set(Origin(name), byName[name], value)...)
		case ok && strings.HasPrefix(name, "BROWNOUT_") && sections[section]:
			problems = append(problems, unknownKey(Origin(name), strings.ToLower(section+"."+key), value))
		}
	}
	return problems
}

// set sets a key from text.
func (c *Config) set(where Origin, key, value string) []Problem {
	for _, s := range settings(c) {
		if s.key != key {
			continue
		}
		c.origins[key] = where
		if err := assignWord(s.field, value); err != nil {
			return []Problem{{where, key, rawLiteral(value), err.Error()}}
		}
		return nil
	}
	if key == "notify" || strings.HasPrefix(notifyIndex.ReplaceAllString(key, ""), "notify.") {
		return []Problem{{Where: where, Key: key, What: "is of a channel: add a [[notify]] table to the file"}}
	}
	return []Problem{unknownKey(where, key, value)}
}

// resolve fills in the defaults that depend on the machine.
func (c *Config) resolve(src Sources) {
	if c.Probe.LateWindow == 0 && c.isDefault("probe.late_window") {
		c.Probe.LateWindow = c.Probe.Timeout
	}
	if c.Vantage.Name == "" {
		c.Vantage.Name, _ = os.Hostname() // a nameless vantage is no failure
	}
	switch {
	case c.Store.Path == "":
		c.Store.Path = filepath.Join(stateDir(src.Environ), "brownout.db")
	case strings.HasPrefix(string(c.Origin("store.path")), c.file+":"):
		c.Store.Path = c.relative(c.Store.Path)
	}
	if strings.HasPrefix(string(c.Origin("http.web_config_file")), c.file+":") && c.HTTP.WebConfigFile != "" {
		c.HTTP.WebConfigFile = c.relative(c.HTTP.WebConfigFile)
	}
}

// stateDir is systemd's StateDirectory, root's /var/lib/brownout, or the user's XDG state directory.
func stateDir(environ []string) string {
	if dir, _, _ := strings.Cut(variable(environ, "STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if dir := variable(environ, "XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "brownout")
	}
	if home := variable(environ, "HOME"); home != "" && os.Geteuid() != 0 {
		return filepath.Join(home, ".local", "state", "brownout")
	}
	return "/var/lib/brownout"
}

// variable is the last value of a name in an environment.
func variable(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(environ[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// cause is an error without the operation and the path that the message around it names already.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
