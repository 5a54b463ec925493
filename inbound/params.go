package inbound

import (
	"sort"
	"strconv"
	"strings"
)

// media is a parsed Content-Type or Content-Disposition.
type media struct {
	kind   string            // "text/plain", "attachment"; lower case, "" when missing or unreadable
	params map[string]string // names in lower case; values decoded, valid UTF-8
}

// major returns the part of the kind before the slash.
func (m media) major() string {
	major, _, _ := strings.Cut(m.kind, "/")
	return major
}

const maxParams = 50

// parseMedia reads a value of the form "type; name=value; …" as far as it can be read: stray quotes and semicolons, blanks
// round the equals sign, parameters cut into pieces or given twice (the first counts). See RFC 2045 section 5.1 and
// RFC 2231.
func parseMedia(raw []byte, hint string) media {
	s := decodeRaw(raw, hint)
	kind, rest := s, ""
	if i := strings.IndexByte(s, ';'); i >= 0 {
		kind, rest = s[:i], s[i+1:]
	}
	m := media{kind: mediaKind(kind), params: map[string]string{}}
	pieces := map[string][]piece{}
	for n := 0; rest != "" && n < maxParams; n++ {
		var name, value string
		name, value, rest = nextParam(rest)
		if name == "" {
			continue
		}
		base, p, ok := splitParamName(name, value)
		switch _, twice := m.params[base]; {
		case ok:
			pieces[base] = append(pieces[base], p)
		case !twice:
			m.params[base] = cleanLine(decodeWords([]byte(value), hint), maxSubject)
		}
	}
	for base, list := range pieces {
		m.params[base] = joinPieces(list, hint) // RFC 2231 section 4: this form is the better one when both are there
	}
	return m
}

// mediaKind takes the type out of what stands before the first semicolon.
func mediaKind(s string) string {
	s = strings.ToLower(strings.TrimSpace(strings.Trim(strings.TrimSpace(s), `"'`)))
	if i := strings.IndexAny(s, " \t,("); i >= 0 {
		s = s[:i]
	}
	return cutUTF8(s, 100)
}

// nextParam takes one parameter from the front of s and returns the rest.
func nextParam(s string) (name, value, rest string) {
	s = strings.TrimLeft(s, " \t;,")
	i := strings.IndexAny(s, "=;")
	if i < 0 {
		return "", "", ""
	}
	if s[i] == ';' {
		return "", "", s[i+1:]
	}
	name = strings.ToLower(strings.TrimSpace(s[:i]))
	s = strings.TrimLeft(s[i+1:], " \t")
	if strings.HasPrefix(s, `"`) {
		if value, rest, ok := quoted(s); ok {
			return name, value, rest
		}
		s = s[1:] // never closed
	}
	end := strings.IndexByte(s, ';')
	if end < 0 {
		return name, strings.Trim(s, " \t\""), ""
	}
	return name, strings.Trim(s[:end], " \t\""), s[end+1:]
}

// quoted reads the quoted string at the front of s; ok is false when it does not end. See RFC 5322 section 3.2.4.
func quoted(s string) (value, rest string, ok bool) {
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 < len(s) {
				i++
				out.WriteByte(s[i])
			}
		case '"':
			return out.String(), s[i+1:], true
		default:
			out.WriteByte(s[i])
		}
	}
	return "", "", false
}

// piece is a part of a parameter that was cut, or that carries its charset.
type piece struct {
	index    int
	extended bool
	value    string
}

// splitParamName recognises name*, name*0, name*0*. ok is false for an ordinary name.
func splitParamName(name, value string) (base string, p piece, ok bool) {
	base, tail, found := strings.Cut(name, "*")
	if !found {
		return name, piece{}, false
	}
	p.value = value
	if tail == "" {
		p.extended = true
		return base, p, true
	}
	number, extended := strings.CutSuffix(tail, "*")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > maxParams {
		return name, piece{}, false
	}
	p.index, p.extended = n, extended
	return base, p, true
}

// joinPieces puts a parameter together again: pieces by number, charset'language' from the first extended one.
func joinPieces(list []piece, hint string) string {
	sort.SliceStable(list, func(i, j int) bool { return list[i].index < list[j].index })
	charset := ""
	var octets []byte
	for i, p := range list {
		v := p.value
		if i == 0 && p.extended {
			if parts := strings.SplitN(v, "'", 3); len(parts) == 3 {
				charset, v = parts[0], parts[2]
			}
		}
		if p.extended {
			octets = append(octets, percentDecode(v)...)
		} else {
			octets = append(octets, v...)
		}
	}
	return cleanLine(decodeCharset(charset, octets, hint), maxSubject)
}

func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hexValue(s[i+1]) >= 0 && hexValue(s[i+2]) >= 0 {
			out = append(out, byte(hexValue(s[i+1])<<4|hexValue(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}
