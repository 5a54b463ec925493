package config

import (
	"reflect"
	"sort"
	"strconv"
	"strings"

	"kontrol/models"
)

// prefix starts the name of every environment variable that Kontrol reads by itself.
const prefix = "KONTROL_"

// EnvNames returns the environment variables that override a key, with the key: KONTROL_LOG_LEVEL → log.level. Single
// values of the sections that stand once have one; lists, servers, managers and shared mailboxes have none.
func EnvNames() map[string]string {
	names := map[string]string{}
	for _, k := range Keys() {
		if strings.ContainsAny(k, "*[") || isList(k) {
			continue
		}
		names[prefix+strings.ToUpper(strings.ReplaceAll(k, ".", "_"))] = k
	}
	return names
}

func isList(path string) bool {
	f, ok := at(reflect.ValueOf(Default()).Elem(), path)
	return ok && f.Kind() == reflect.Slice
}

// at returns the field of a struct that a path of plain keys leads to.
func at(v reflect.Value, path string) (reflect.Value, bool) {
	key, rest, more := strings.Cut(path, ".")
	for _, f := range fieldsOf(v.Type()) {
		if f.key != key {
			continue
		}
		if inner := v.FieldByIndex(f.index); !more {
			return inner, true
		} else if inner.Kind() == reflect.Struct {
			return at(inner, rest)
		}
	}
	return reflect.Value{}, false
}

// override puts the values of environment variables in the place of the file's. An empty variable counts as unset.
func (c *checker) override() {
	for name, path := range EnvNames() {
		text := c.cfg.env(name)
		if text == "" {
			continue
		}
		dst, ok := at(reflect.ValueOf(c.cfg).Elem(), path)
		if !ok {
			continue
		}
		c.origin[path] = name
		var v any = text
		if dst.Kind() == reflect.Int && !isValue(dst.Type()) {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				v = n
			}
		}
		c.value(path, v, dst)
	}
}

// UnknownEnv returns a warning for each KONTROL_ variable among environ (as os.Environ gives it) that means nothing: it
// overrides no key, no password_env names it, and it is not among the names in also.
func (c *Config) UnknownEnv(environ []string, also ...string) []models.Phrase {
	names := EnvNames()
	for _, n := range also {
		names[n] = ""
	}
	for _, m := range c.Managers {
		names[m.PasswordEnv] = ""
	}
	for _, s := range c.SharedMailboxes {
		names[s.PasswordEnv] = ""
	}
	names[c.Database.SecretKey.Env] = ""
	for _, s := range c.Servers {
		names[s.OAuth.Env] = ""
	}
	list := make([]string, 0, len(names))
	for n := range names {
		if n != "" {
			list = append(list, n)
		}
	}
	sort.Strings(list)
	var warnings []models.Phrase
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if _, ok := names[name]; ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		near := strings.TrimPrefix(nearest(strings.TrimPrefix(name, prefix), trimmed(list)), prefix)
		if near != "" {
			near = prefix + near
		}
		warnings = append(warnings, models.Say("config.unknown_env", "Name", name, "Near", near))
	}
	return warnings
}

func trimmed(names []string) []string {
	list := make([]string, 0, len(names))
	for _, n := range names {
		if s, ok := strings.CutPrefix(n, prefix); ok {
			list = append(list, s)
		}
	}
	return list
}
