package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// EnvPrefix begins the name of every environment variable of Strata.
const EnvPrefix = "STRATA_"

// secrecy says how much of a value may be shown.
type secrecy string

const (
	secretWhole    secrecy = "true"     // nothing
	secretUserinfo secrecy = "userinfo" // a URL without its password
)

// setting is one leaf of a Config: where its value is kept and what it is called.
type setting struct {
	path   string // "server.rate_limits.free.key"
	env    string // "STRATA_RATE_LIMIT_FREE_KEY"
	flag   string // "rate-limit-free-key"; "" when it has none
	doc    string
	oneof  []string
	secret secrecy
	value  reflect.Value // of the Config's field, settable
	source string        // who set it
}

// settingsOf lists the settings of c in the order of declaration.
func settingsOf(c *Config) []*setting {
	var out []*setting
	walk(reflect.ValueOf(c).Elem(), setting{env: EnvPrefix}, &out)
	return out
}

func walk(v reflect.Value, parent setting, out *[]*setting) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		s := &setting{
			path:   strings.TrimPrefix(parent.path+"."+f.Tag.Get("yaml"), "."),
			env:    parent.env + f.Tag.Get("env"),
			doc:    strings.TrimSpace(parent.doc + " " + f.Tag.Get("doc")),
			oneof:  strings.Fields(f.Tag.Get("oneof")),
			secret: secrecy(f.Tag.Get("secret")),
			value:  v.Field(i),
			source: "default",
		}
		if f.Type.Kind() == reflect.Struct {
			if !strings.HasSuffix(s.env, "_") {
				s.env += "_"
			}
			walk(v.Field(i), *s, out)
			continue
		}
		if s.secret != secretWhole {
			s.flag = strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(s.env, EnvPrefix)), "_", "-")
		}
		*out = append(*out, s)
	}
}

// set reads text into the setting. The error says what is expected, without
// repeating a secret.
func (s *setting) set(text string) error {
	parsed, err := s.parse(text)
	if err != nil {
		return err
	}
	s.value.Set(reflect.ValueOf(parsed))
	return nil
}

func (s *setting) parse(text string) (any, error) {
	switch s.value.Interface().(type) {
	case string:
		return text, nil
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not true or false", text)
		}
		return b, nil
	case int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, nil
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a duration such as 30s", text)
		}
		return d, nil
	case Bytes:
		return ParseBytes(text)
	case []string:
		return splitList(text), nil
	}
	return nil, fmt.Errorf("settings of type %s are not supported", s.value.Type())
}

// splitList reads a comma-separated list; blanks around items do not count.
func splitList(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// text writes the value as set reads it.
func (s *setting) text() string {
	switch v := s.value.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	default:
		return fmt.Sprint(v)
	}
}

// shown writes the value for people's eyes, without what is secret.
func (s *setting) shown() string {
	text := s.text()
	switch {
	case text == "":
		return `""`
	case s.secret == secretWhole:
		return "********"
	case s.secret == secretUserinfo:
		single, hosts := splitHosts(text)
		u, err := url.Parse(single)
		if err != nil {
			return "********"
		}
		u.Host = hosts
		return u.Redacted()
	}
	return text
}
