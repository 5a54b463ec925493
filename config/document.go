package config

import (
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// document knows on which line of the file each key stands.
type document struct {
	lines  map[string]int
	tables map[string]int // how often a [[table]] has been opened so far, by path
	// explicit are the tables that have had a header of their own.
	explicit map[string]bool
	starts   []int   // offsets at which lines start
	twice    []twice // keys given a second time, which TOML forbids
	parser   *unstable.Parser
}

type twice struct {
	path        string
	line, first int
}

// readDocument reads as far as the syntax is sound; what comes after a syntax error has no lines.
func readDocument(data []byte) *document {
	d := &document{
		lines:    map[string]int{"": 1},
		tables:   map[string]int{},
		explicit: map[string]bool{},
		starts:   []int{0},
		parser:   &unstable.Parser{},
	}
	for i, b := range data {
		if b == '\n' {
			d.starts = append(d.starts, i+1)
		}
	}
	d.parser.Reset(data)
	at := ""
	for d.parser.NextExpression() {
		switch n := d.parser.Expression(); n.Kind {
		case unstable.Table, unstable.ArrayTable:
			at = d.header(n)
		case unstable.KeyValue:
			d.pair(at, n)
		}
	}
	return d
}

// header notes a [table] or [[table]] and returns the path that its keys start with.
func (d *document) header(n *unstable.Node) string {
	path, line := "", 1
	for it := n.Key(); it.Next(); {
		path = joinKey(path, string(it.Node().Data))
		line = d.lineOf(it.Node())
		if it.IsLast() {
			break
		}
		d.note(path, line)
		path = d.inList(path)
	}
	if n.Kind == unstable.ArrayTable {
		d.note(path, line)
		d.tables[path]++
		path = d.inList(path)
	}
	if !d.explicit[path] { // a header counts for more than a table around it
		d.lines[path], d.explicit[path] = line, true
	}
	return path
}

// pair notes a key with its value. The parser gives keys in tables without their table.
func (d *document) pair(at string, n *unstable.Node) {
	path, line := at, 0
	for it := n.Key(); it.Next(); {
		path = joinKey(d.inList(path), string(it.Node().Data))
		line = d.lineOf(it.Node())
		if it.IsLast() {
			break
		}
		d.note(path, line)
	}
	if first, ok := d.lines[path]; ok {
		d.twice = append(d.twice, twice{path, line, first})
	}
	d.note(path, line)
	d.value(path, n.Value())
}

func (d *document) value(path string, n *unstable.Node) {
	switch n.Kind {
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				d.pair(path, it.Node())
			}
		}
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			element := joinIndex(path, i)
			i++
			if it.Node().Raw.Length > 0 {
				d.note(element, d.lineOf(it.Node()))
			}
			d.value(element, it.Node())
		}
	}
}

func (d *document) inList(path string) string {
	if n := d.tables[path]; n > 0 {
		return joinIndex(path, n-1)
	}
	return path
}

func (d *document) note(path string, line int) {
	if _, ok := d.lines[path]; !ok {
		d.lines[path] = line
	}
}

func (d *document) lineOf(n *unstable.Node) int {
	offset := int(n.Raw.Offset)
	return sort.Search(len(d.starts), func(i int) bool { return d.starts[i] > offset })
}

// has reports whether the file gives the key.
func (d *document) has(path string) bool { _, ok := d.lines[path]; return ok }

// line returns the line of a key or, when the file does not give it, of the nearest table around it.
func (d *document) line(path string) int {
	for {
		if n, ok := d.lines[path]; ok {
			return n
		}
		path = parent(path)
	}
}

// joinKey adds a key to a path as TOML would write it.
func joinKey(path, key string) string {
	if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// joinIndex adds a place in a list to a path; i counts from 0, the path from 1.
func joinIndex(path string, i int) string { return path + "[" + strconv.Itoa(i+1) + "]" }

// parent cuts the last key or place off a path. The parent of a lone key is "".
func parent(path string) string {
	cut, quoted := 0, false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '.' || c == '['):
			cut = i
		}
	}
	return path[:cut]
}
