package config

import (
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// shower is a value of the config that is shown in a form of its own.
type shower interface {
	shown() string // for people: secrets masked
	raw() string   // for comparing
}

// setting is the value of one key.
type setting struct {
	shown, raw string
}

// flatten lists every key with its value. People and mailboxes are named by their address instead of their place, so
// that putting a new one first changes nothing for the others: managers[ivanova@firma.example].name.
func flatten(c *Config) map[string]setting {
	out := map[string]setting{}
	flat("", reflect.ValueOf(c).Elem(), out)
	return out
}

func flat(path string, v reflect.Value, out map[string]setting) {
	if s, ok := v.Interface().(shower); ok {
		out[path] = setting{s.shown(), s.raw()}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			flat(joinKey(path, f.key), v.FieldByIndex(f.index), out)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			flat(joinKey(path, k.String()), v.MapIndex(k), out)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				flat(path+"["+addressOf(v.Index(i))+"]", v.Index(i), out)
			}
			return
		}
		parts := make([]string, 0, v.Len())
		for i := range v.Len() {
			parts = append(parts, strconv.Quote(v.Index(i).String()))
		}
		text := "[" + strings.Join(parts, ", ") + "]"
		out[path] = setting{text, text}
	case reflect.String:
		text := strconv.Quote(v.String())
		out[path] = setting{text, text}
	case reflect.Int:
		text := strconv.FormatInt(v.Int(), 10)
		out[path] = setting{text, text}
	}
}

func addressOf(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Manager:
		return x.Email
	case SharedMailbox:
		return x.Address
	case Host:
		return x.Name
	}
	return ""
}

// Changes compares two configs and lists the keys whose values differ, sorted: those that a running daemon takes over
// when it reads its config again, and those that need a restart. A manager, shared mailbox or server that has come or
// gone is one entry, such as managers[ivanova@firma.example], and needs a restart; a host is one entry and needs none. Contents of secret files are not
// compared: they are read whenever they are needed.
func Changes(before, after *Config) (reloadable, restart []string) {
	old, now := flatten(before), flatten(after)
	whole := map[string]bool{}
	for k := range entries(old) {
		whole[k] = !entries(now)[k]
	}
	for k := range entries(now) {
		whole[k] = whole[k] || !entries(old)[k]
	}
	changed := map[string]bool{}
	for _, pair := range [][2]map[string]setting{{old, now}, {now, old}} {
		for k, v := range pair[0] {
			other, ok := pair[1][k]
			if ok && other.raw == v.raw {
				continue
			}
			if e := entry(k); e != "" && whole[e] {
				k = e
			}
			changed[k] = true
		}
	}
	for _, k := range sorted(changed) {
		if canReload(k) {
			reloadable = append(reloadable, k)
		} else {
			restart = append(restart, k)
		}
	}
	return reloadable, restart
}

// entries returns the people, mailboxes and servers of a config.
func entries(values map[string]setting) map[string]bool {
	set := map[string]bool{}
	for k := range values {
		if e := entry(k); e != "" {
			set[e] = true
		}
	}
	return set
}

// entry returns the person, mailbox or server that a key belongs to, or "".
func entry(path string) string {
	if strings.HasPrefix(path, "managers[") || strings.HasPrefix(path, "shared_mailboxes[") || strings.HasPrefix(path, "hosts[") {
		return path[:strings.LastIndexByte(path, ']')+1]
	}
	if strings.HasPrefix(path, "servers.") {
		for p := path; ; p = parent(p) {
			if parent(p) == "servers" {
				return p
			}
		}
	}
	return ""
}

// canReload reports whether a key is taken over without a restart. What is not listed here needs one.
func canReload(path string) bool {
	switch {
	case path == "language", path == "log.level", strings.HasPrefix(path, "triage."), strings.HasPrefix(path, "hosts["):
		return true
	}
	e := entry(path)
	if e == "" || strings.HasPrefix(e, "servers.") {
		return false
	}
	return known(strings.TrimPrefix(path, e+"."), secretKeys())
}

// WithReloadable returns a copy of c that has taken over from next everything that Changes calls reloadable, and nothing
// else.
func (c *Config) WithReloadable(next *Config) *Config {
	merged := *c
	merged.Language, merged.Log.Level, merged.Triage = next.Language, next.Log.Level, next.Triage
	merged.Hosts = slices.Clone(next.Hosts)
	merged.Managers = slices.Clone(c.Managers)
	for i := range merged.Managers {
		for _, m := range next.Managers {
			if m.Email == merged.Managers[i].Email {
				merged.Managers[i].Secret = merged.Managers[i].withPassword(m.Secret)
			}
		}
	}
	merged.SharedMailboxes = slices.Clone(c.SharedMailboxes)
	for i := range merged.SharedMailboxes {
		for _, m := range next.SharedMailboxes {
			if m.Address == merged.SharedMailboxes[i].Address {
				merged.SharedMailboxes[i].Secret = merged.SharedMailboxes[i].withPassword(m.Secret)
			}
		}
	}
	return &merged
}

// withPassword takes over where the password comes from; how the login is made takes a restart to change.
func (s Secret) withPassword(next Secret) Secret {
	next.Auth, next.TokenCommand = s.Auth, s.TokenCommand
	return next
}

// Settings returns every key with its value in the form of the config, secrets masked, sorted by key: what is in force.
func (c *Config) Settings() []Setting {
	values := flatten(c)
	list := make([]Setting, 0, len(values))
	for k, v := range values {
		list = append(list, Setting{k, v.shown})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	return list
}

// Setting is a key and its value, for showing.
type Setting struct {
	Key, Value string
}
