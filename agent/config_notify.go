package agent

import (
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

var (
	notifyTable = regexp.MustCompile(`^notify\[(\d+)\]$`)
	notifyIndex = regexp.MustCompile(`\[\d+\]`)
	notifyKey   = regexp.MustCompile(`^notify\[(\d+)\]\.(\w+)$`)
)

// notifyField finds the field of a key like "notify[0].type". It is invalid where there is no such field; ok says
// whether the key is one of [[notify]] at all.
func (c *Config) notifyField(key string) (field reflect.Value, ok bool) {
	if m := notifyTable.FindStringSubmatch(key); m != nil {
		c.growNotify(m[1])
		return field, true
	}
	m := notifyKey.FindStringSubmatch(key)
	if m == nil {
		return field, false
	}
	at := c.growNotify(m[1])
	eachField(reflect.ValueOf(at).Elem(), func(name string, v reflect.Value) {
		if name == m[2] {
			field = v
		}
	})
	return field, true
}

func (c *Config) growNotify(index string) *NotifyConfig {
	i, _ := strconv.Atoi(index) // digits, by the expression
	for len(c.Notify) <= i {
		c.Notify = append(c.Notify, NotifyConfig{})
	}
	return &c.Notify[i]
}

var notifyTypes = []string{"webhook", "alertmanager", "shoutrrr"}

func (k *checker) notify() {
	if len(k.c.Notify) > 0 {
		k.c.warn("notify: the tables are checked, and this version delivers nothing")
	}
	for i := range k.c.Notify {
		n, key := &k.c.Notify[i], "notify["+strconv.Itoa(i)+"]"
		if n.Type == "" {
			k.missing(key+".type", "name one of "+strings.Join(notifyTypes, ", "))
		} else {
			k.oneOf(key+".type", n.Type, notifyTypes...)
		}
		switch {
		case n.URL == "" && n.URLFile == "":
			k.missing(key+".url", "set url, or url_file to keep the secret out of this file")
		case n.URL != "" && n.URLFile != "":
			k.bad(key+".url_file", n.URLFile, "url is set too: keep one of them")
		case n.URL != "":
			k.notifyURL(key+".url", n)
		default:
			n.URLFile = k.c.relative(n.URLFile)
			if _, err := os.Stat(n.URLFile); err != nil {
				k.bad(key+".url_file", n.URLFile, "cannot be read: "+cause(err))
			}
		}
	}
}

// notifyURL never shows the URL, for it is often a secret.
func (k *checker) notifyURL(key string, n *NotifyConfig) {
	u, err := url.Parse(n.URL)
	http := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	switch {
	case err != nil || u.Scheme == "":
		k.add(key, hidden, "is no URL")
	case n.Type != "shoutrrr" && !http:
		k.add(key, hidden, "want an http or https URL")
	}
}

// hidden stands where a secret would.
const hidden = `"(hidden)"`

// relative resolves a path that stands in the configuration file against the file's directory.
func (c *Config) relative(path string) string {
	if path == "" || filepath.IsAbs(path) || c.file == "" {
		return path
	}
	return filepath.Join(filepath.Dir(c.file), path)
}
