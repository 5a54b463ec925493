package config

import (
	"math"
	"reflect"
	"sort"
	"strings"

	"kontrol/models"
)

// tomlValue is a type of the config that is written as one TOML value of its own form.
type tomlValue interface {
	// fromTOML takes over a value as go-toml gives it, or says what is wrong with it.
	fromTOML(v any) models.Phrase
}

// field is a key of a table: a field of a struct with a toml tag.
type field struct {
	key   string
	index []int
	typ   reflect.Type
}

// fieldsOf returns the keys of a struct in the order of the struct; those of embedded structs count as its own.
func fieldsOf(t reflect.Type) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		if key := f.Tag.Get("toml"); key != "" {
			list = append(list, field{key, f.Index, f.Type})
			continue
		}
		if f.Anonymous {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
		}
	}
	return list
}

func isValue(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[tomlValue]())
}

// Keys returns every key that the config knows, sorted: "log.level"; "servers.*.imap" for the tables with names of
// one's own; "managers[].email" for the repeated ones.
func Keys() []string {
	var list []string
	keysOf(reflect.TypeFor[Config](), "", &list)
	sort.Strings(list)
	return list
}

func keysOf(t reflect.Type, path string, list *[]string) {
	for _, f := range fieldsOf(t) {
		at := joinKey(path, f.key)
		inner := f.typ
		switch {
		case isValue(inner):
		case inner.Kind() == reflect.Map:
			at, inner = at+".*", inner.Elem()
		case inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct:
			at, inner = at+"[]", inner.Elem()
		}
		if inner.Kind() == reflect.Struct && !isValue(inner) {
			keysOf(inner, at, list)
		} else {
			*list = append(*list, at)
		}
	}
}

// table puts a TOML table into a struct.
func (c *checker) table(path string, m map[string]any, dst reflect.Value) {
	fields := fieldsOf(dst.Type())
	byKey := make(map[string]field, len(fields))
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		byKey[f.key] = f
		names = append(names, f.key)
	}
	for key, v := range m {
		if f, ok := byKey[key]; ok {
			c.value(joinKey(path, key), v, dst.FieldByIndex(f.index))
			continue
		}
		c.unknown(path, key, v, names)
	}
}

// value puts a TOML value into a field.
func (c *checker) value(path string, v any, dst reflect.Value) {
	if t, ok := dst.Addr().Interface().(tomlValue); ok {
		if p := t.fromTOML(v); !p.IsZero() {
			c.add(path, p)
		}
		return
	}
	switch dst.Kind() {
	case reflect.String:
		if s, ok := v.(string); ok {
			dst.SetString(s)
			return
		}
		c.add(path, models.Say("config.want_string"))
	case reflect.Int:
		if n, ok := v.(int64); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
			dst.SetInt(n)
			return
		}
		c.add(path, models.Say("config.want_integer"))
	case reflect.Struct:
		if m, ok := v.(map[string]any); ok {
			c.table(path, m, dst)
			return
		}
		c.add(path, models.Say("config.want_table", "Header", "["+path+"]"))
	case reflect.Map:
		c.named(path, v, dst)
	case reflect.Slice:
		c.list(path, v, dst)
	}
}

// named puts a table of tables with names of one's own, such as [servers.corp], into a map.
func (c *checker) named(path string, v any, dst reflect.Value) {
	m, ok := v.(map[string]any)
	if !ok {
		c.add(path, models.Say("config.want_named", "Header", "["+path+".NAME]"))
		return
	}
	dst.Set(reflect.MakeMapWithSize(dst.Type(), len(m)))
	for name, inner := range m {
		element := reflect.New(dst.Type().Elem()).Elem()
		at := joinKey(path, name)
		if t, ok := inner.(map[string]any); ok {
			c.table(at, t, element)
		} else {
			c.add(at, models.Say("config.want_named", "Header", "["+path+".NAME]"))
		}
		dst.SetMapIndex(reflect.ValueOf(name), element)
	}
}

// list puts an array, or an array of tables, into a slice.
func (c *checker) list(path string, v any, dst reflect.Value) {
	list, ok := v.([]any)
	tables := dst.Type().Elem().Kind() == reflect.Struct
	switch {
	case !ok && tables:
		c.add(path, models.Say("config.want_tables", "Header", "[["+path+"]]"))
		return
	case !ok:
		last := path[strings.LastIndexByte(path, '.')+1:]
		c.add(path, models.Say("config.want_list", "Key", last))
		return
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(list), len(list)))
	for i, inner := range list {
		c.value(joinIndex(path, i), inner, dst.Index(i))
	}
}

// unknown reports a key that its table does not have, with the nearest that it has, or with the section that has it.
func (c *checker) unknown(path, key string, v any, names []string) {
	id := "config.unknown_key"
	switch v.(type) {
	case map[string]any:
		id = "config.unknown_section"
	case []any:
		if path == "" {
			id = "config.unknown_section"
		}
	}
	near := nearest(key, names)
	section := ""
	if near == "" || fold(near) != fold(key) {
		section = sectionOf(key, c.keys)
	}
	if section != "" {
		near = ""
	}
	if near != "" { // that it is missing need not be said as well
		c.failed[joinKey(path, near)] = true
	}
	known := ""
	if near == "" && section == "" {
		known = strings.Join(names, ", ")
	}
	c.add(joinKey(path, key), models.Say(id, "Near", near, "Section", section, "Known", known, "Mixed", mixed(key)))
}

// sectionOf returns the header of the section that has exactly this key among keys, "^" for the top of the file, or ""
// when none has it or several do.
func sectionOf(key string, keys []string) string {
	found := ""
	for _, k := range keys {
		at, last := parent(k), k[strings.LastIndexByte(k, '.')+1:]
		if last != key || strings.Contains(at, "].") {
			continue
		}
		if found != "" {
			return ""
		}
		found = header(at)
	}
	return found
}

// header writes the path of a section as it stands in the file.
func header(path string) string {
	if path == "" {
		return "^"
	}
	path = strings.Replace(path, ".*", ".NAME", 1)
	if list, ok := strings.CutSuffix(path, "[]"); ok {
		return "[[" + list + "]]"
	}
	return "[" + path + "]"
}
