package agent

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"brownout/agent/notify"
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
	names := map[string]bool{}
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
			k.notifyURL(key+".url", n.Type, n.URL)
		default:
			if text, ok := k.secretFile(key+".url_file", n.URLFile); ok {
				k.notifyURL(key+".url_file", n.Type, text)
			}
		}
		k.notifyMore(key, n)
		if names[n.channel()] {
			k.missing(key+".name", "two of them are called "+n.channel()+": name each, for the store notes what each delivered")
		}
		names[n.channel()] = true
	}
}

// notifyMore checks what most leave out.
func (k *checker) notifyMore(key string, n *NotifyConfig) {
	switch {
	case n.SecretFile != "" && n.Type != "webhook":
		k.bad(key+".secret_file", n.SecretFile, "only a webhook's requests are signed")
	case n.SecretFile != "":
		k.secretFile(key+".secret_file", n.SecretFile)
	}
	if _, err := notify.ParseQuiet(n.Quiet); err != nil {
		k.bad(key+".quiet", n.Quiet, err.Error())
	}
	for name, text := range map[string]string{"title": n.Title, "text": n.Text} {
		if _, err := notify.ParseTemplate(text); err != nil {
			k.bad(key+"."+name, text, "is no template over a notice: "+err.Error())
		}
	}
}

// secretFile reads a secret, and reports whether there is one.
func (k *checker) secretFile(key, name string) (string, bool) {
	if strings.HasPrefix(name, credential) && k.c.credentials == "" && !k.c.service {
		k.c.warn(fmt.Sprintf("%s: %s is not checked: only the service can read it", key, name))
		return "", false
	}
	text, err := k.c.readSecret(name)
	if err != nil {
		k.bad(key, name, "cannot be read: "+cause(err))
	} else if text == "" {
		k.bad(key, name, "is empty")
	}
	return text, err == nil && text != ""
}

// notifyURL never shows the URL, for it is often a secret.
func (k *checker) notifyURL(key, kind, text string) {
	u, err := url.Parse(text)
	http := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	switch {
	case err != nil || u.Scheme == "":
		k.add(key, hidden, "is no URL")
	case kind == "shoutrrr":
		if _, err := notify.Shoutrrr(text); err != nil {
			k.add(key, hidden, "is no URL of shoutrrr's: "+err.Error())
		}
	case !http:
		k.add(key, hidden, "want an http or https URL")
	}
}

// channel is the name under which the store notes what was delivered.
func (n *NotifyConfig) channel() string { return cmp.Or(n.Name, n.Type) }

// credential begins the name of a secret that systemd hands over: a file in $CREDENTIALS_DIRECTORY.
const credential = "credential:"

// readSecret reads a secret from a file beside the configuration's, or one of systemd's credentials.
func (c *Config) readSecret(name string) (string, error) {
	path := c.relative(name)
	if named, ok := strings.CutPrefix(name, credential); ok {
		if c.credentials == "" {
			return "", errors.New("only the service can read it, by a LoadCredential= line in its unit: there is no $CREDENTIALS_DIRECTORY here")
		}
		path = filepath.Join(c.credentials, filepath.Base(named))
	}
	data, err := readWhole(path)
	return strings.TrimSpace(string(data)), err
}

// channels makes the channels, of which what lasts was told of already.
func (c *Config) channels(active map[string]notify.Transition) ([]notify.Channel, error) {
	var list []notify.Channel
	for i := range c.Notify {
		one, err := c.channelOf(&c.Notify[i], active)
		if err != nil {
			return nil, fmt.Errorf("notify[%d], %s: %w", i, c.Notify[i].channel(), err)
		}
		list = append(list, one)
	}
	return list, nil
}

func (c *Config) channelOf(n *NotifyConfig, active map[string]notify.Transition) (out notify.Channel, err error) {
	out = notify.Channel{Name: n.channel(), Blocks: n.Blocks, Together: n.Type == "shoutrrr"}
	if out.Quiet, err = notify.ParseQuiet(n.Quiet); err != nil {
		return out, err
	}
	out.Quiet.Always = n.QuietTotal
	if out.Templates, err = n.templates(); err != nil {
		return out, err
	}
	address := n.URL
	if n.URLFile != "" {
		if address, err = c.readSecret(n.URLFile); err != nil {
			return out, err
		}
	}
	switch n.Type {
	case "alertmanager":
		out.Sender = notify.Alertmanager(address, c.Vantage.Name, active)
	case "shoutrrr":
		out.Sender, err = notify.Shoutrrr(address)
	default:
		var key string
		if n.SecretFile != "" {
			key, err = c.readSecret(n.SecretFile)
		}
		out.Sender = notify.Webhook(address, []byte(key))
	}
	return out, err
}

func (n *NotifyConfig) templates() (t notify.Templates, err error) {
	if n.Title != "" {
		if t.Title, err = notify.ParseTemplate(n.Title); err != nil {
			return t, err
		}
	}
	if n.Text != "" {
		t.Text, err = notify.ParseTemplate(n.Text)
	}
	return t, err
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
