package agent

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"brownout/probe"
)

// setting is one key of a Config and the field behind it.
type setting struct {
	key   string
	field reflect.Value
}

// settings are the keys of c's tables in the order of their fields; [[notify]] is not among them.
func settings(c *Config) []setting {
	var out []setting
	eachField(reflect.ValueOf(c).Elem(), func(table string, v reflect.Value) {
		if v.Kind() == reflect.Struct {
			eachField(v, func(name string, f reflect.Value) { out = append(out, setting{table + "." + name, f}) })
		}
	})
	return out
}

// eachField calls f with every field that has a key.
func eachField(v reflect.Value, f func(name string, v reflect.Value)) {
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("toml"); name != "" && name != "-" {
			f(name, v.Field(i))
		}
	}
}

// environmentName is the variable that sets a key: BROWNOUT_PROBE_ROUND for probe.round.
func environmentName(key string) string {
	return "BROWNOUT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// wantOf says what a field takes, for messages.
func wantOf(field reflect.Value) string {
	switch field.Addr().Interface().(type) {
	case *time.Duration:
		return `a duration (in a file, in quotes), like "11m" or "90s"`
	case *bool:
		return "true or false"
	case *int:
		return "a whole number"
	case *float64:
		return "a number"
	case *[]string:
		return `a list of strings, like ["198.18.0.0/22"]`
	case *[]probe.Protocol:
		return `a list of protocols, like ["icmp", "tcp/80", "dns"]`
	case *[]netip.Addr:
		return `a list of addresses, like ["192.0.2.1", "198.51.100.1"]`
	}
	return "a string in quotes"
}

// assign sets a field from a value of TOML.
func assign(field reflect.Value, value any) error {
	wrong := fmt.Errorf("want %s", wantOf(field))
	switch p := field.Addr().Interface().(type) {
	case *bool:
		return assignPlain(p, value, wrong)
	case *string:
		return assignPlain(p, value, wrong)
	case *int:
		n, ok := value.(int64)
		if !ok || n > math.MaxInt32 || n < math.MinInt32 {
			return wrong
		}
		*p = int(n)
	case *float64:
		if n, ok := value.(int64); ok {
			value = float64(n)
		}
		return assignPlain(p, value, wrong)
	case *time.Duration:
		return assignText(p, value, wrong, func(s string) (time.Duration, error) {
			d, err := time.ParseDuration(s)
			if err != nil {
				return 0, wrong
			}
			return d, nil
		})
	case *probe.ICMPMode:
		return assignText(p, value, wrong, probe.ParseICMPMode)
	case *[]string:
		return assignList(p, value, wrong, func(s string) (string, error) { return s, nil })
	case *[]probe.Protocol:
		return assignList(p, value, wrong, probe.ParseProtocol)
	case *[]netip.Addr:
		return assignList(p, value, wrong, parseAddress)
	default:
		panic(fmt.Sprintf("a setting of type %T", p)) // a new kind of field needs a case here
	}
	return nil
}

func assignPlain[T any](p *T, value any, wrong error) error {
	v, ok := value.(T)
	if !ok {
		return wrong
	}
	*p = v
	return nil
}

func assignText[T any](p *T, value any, wrong error, parse func(string) (T, error)) error {
	s, ok := value.(string)
	if !ok {
		return wrong
	}
	v, err := parse(s)
	if err == nil {
		*p = v
	}
	return err
}

func assignList[T any](p *[]T, value any, wrong error, parse func(string) (T, error)) error {
	items, ok := value.([]any)
	if !ok {
		return wrong
	}
	out := make([]T, len(items))
	for i, item := range items {
		if err := assignText(&out[i], item, wrong, parse); err != nil {
			return err
		}
	}
	*p = out
	return nil
}

func parseAddress(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is no IP address", s)
	}
	return a.Unmap(), nil
}

// assignWord sets a field from the text of an environment variable or a flag. Lists are split at commas.
func assignWord(field reflect.Value, s string) error {
	var value any = s
	switch field.Addr().Interface().(type) {
	case *bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("want %s", wantOf(field))
		}
		value = b
	case *int, *float64:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			value = n
		} else if f, err := strconv.ParseFloat(s, 64); err == nil {
			value = f
		}
	case *[]string, *[]probe.Protocol, *[]netip.Addr:
		value = splitList(s)
	}
	return assign(field, value)
}

func splitList(s string) []any {
	items := []any{}
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// literal prints a field as TOML.
func literal(field reflect.Value) string {
	switch v := field.Interface().(type) {
	case string:
		return strconv.Quote(v)
	case time.Duration:
		return strconv.Quote(shortDuration(v))
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case fmt.Stringer:
		return strconv.Quote(v.String())
	}
	if field.Kind() == reflect.Slice {
		items := make([]string, field.Len())
		for i := range items {
			items[i] = strconv.Quote(fmt.Sprint(field.Index(i).Interface()))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(field.Interface())
}

// shortDuration is "11m" for what time.Duration prints as "11m0s".
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
