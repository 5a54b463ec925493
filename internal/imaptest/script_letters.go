package imaptest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// onLetters carries out the commands on letters of the selected folder.
func (c *scriptConn) onLetters(t *Turn) {
	if c.selected == "" {
		t.Printf("%s BAD no folder selected\r\n", t.Tag)
		return
	}
	p := c.s.profile
	switch sub := strings.ToUpper(t.arg(1)); {
	case t.arg(0) == "EXPUNGE":
		c.expunge(t, func(uint32) bool { return true })
	case sub == "FETCH":
		c.fetch(t)
	case sub == "STORE":
		c.store(t)
	case sub == "COPY", sub == "MOVE" && p.has("MOVE"):
		c.transfer(t, sub == "MOVE")
	case sub == "EXPUNGE" && p.has("UIDPLUS"):
		set := t.arg(2)
		c.expunge(t, func(uid uint32) bool { return inSet(set, uid, 0) })
	default:
		t.Printf("%s BAD command not permitted with UID\r\n", t.Tag)
	}
}

// inSet reports whether a UID set holds uid; last is what * stands for.
func inSet(set string, uid, last uint32) bool {
	num := func(s string) uint32 {
		if s == "*" {
			return last
		}
		n, _ := strconv.ParseUint(s, 10, 32)
		return uint32(n)
	}
	for _, part := range strings.Split(set, ",") {
		a, b, ranged := strings.Cut(part, ":")
		lo, hi := num(a), num(a)
		if ranged {
			hi = num(b)
		}
		if lo > hi {
			lo, hi = hi, lo
		}
		if uid >= lo && uid <= hi {
			return true
		}
	}
	return false
}

// each calls f for the letters of the set, with the sequence number as the client knows it. The server is locked.
func (c *scriptConn) each(set string, f func(seq int, l *Stored)) {
	b := c.s.boxes[c.selected]
	if b == nil {
		return
	}
	last := uint32(0)
	if n := len(b.letters); n > 0 {
		last = b.letters[n-1].UID
	}
	for _, l := range b.letters {
		if inSet(set, l.UID, last) {
			f(slices.Index(c.known, l.UID)+1, l)
		}
	}
}

var partial = regexp.MustCompile(`BODY\.PEEK\[(HEADER|TEXT|)\](?:<(\d+)\.(\d+)>)?`)

func (c *scriptConn) fetch(t *Turn) {
	items := strings.Join(t.Args[3:], " ")
	var out bytes.Buffer
	c.update()
	c.s.mu.Lock()
	c.each(t.arg(2), func(seq int, l *Stored) {
		fmt.Fprintf(&out, "* %d FETCH (UID %d", seq, l.UID)
		out.Write(FetchItems(c.s.profile, items, *l))
		out.WriteString(")\r\n")
	})
	c.s.mu.Unlock()
	t.Printf("%s", out.Bytes())
	t.ok("done")
}

// FetchItems renders what a FETCH answer says about a letter after its UID.
func FetchItems(p Profile, items string, l Stored) []byte {
	var out bytes.Buffer
	if strings.Contains(items, "FLAGS") {
		fmt.Fprintf(&out, " FLAGS (%s)", strings.Join(l.Flags, " "))
	}
	if strings.Contains(items, "RFC822.SIZE") {
		size := len(l.Raw)
		if p.Estimate {
			size += size/10 + 100
		}
		fmt.Fprintf(&out, " RFC822.SIZE %d", size)
	}
	if strings.Contains(items, "INTERNALDATE") {
		fmt.Fprintf(&out, " INTERNALDATE %q", l.Date.Format("_2-Jan-2006 15:04:05 -0700"))
	}
	if p.BadBodies && strings.Contains(items, "BODYSTRUCTURE") {
		out.WriteString(` BODYSTRUCTURE (("text" "plain" NIL NIL NIL "8bit" 9.3736e+06 0) "alternative" ("boundary" NIL))`)
	}
	header, text := split(l.Raw)
	for _, m := range partial.FindAllStringSubmatch(items, -1) {
		part := l.Raw
		switch m[1] {
		case "HEADER":
			part = header
		case "TEXT":
			part = text
		}
		origin := ""
		if m[2] != "" {
			from, _ := strconv.Atoi(m[2])
			n, _ := strconv.Atoi(m[3])
			from = min(from, len(part))
			part = part[from:min(len(part), from+n)]
			origin = "<" + m[2] + ">"
		}
		fmt.Fprintf(&out, " BODY[%s]%s {%d}\r\n", m[1], origin, len(part))
		out.Write(part)
	}
	return out.Bytes()
}

func split(raw []byte) (header, text []byte) {
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		return raw[:i+4], raw[i+4:]
	}
	return raw, nil
}

func (c *scriptConn) store(t *Turn) {
	add, flags := strings.HasPrefix(t.arg(3), "+"), strings.Fields(strings.Trim(t.arg(4), "()"))
	var out strings.Builder
	c.s.mu.Lock()
	c.each(t.arg(2), func(seq int, l *Stored) {
		if c.readOnly {
			return
		}
		for _, f := range flags {
			l.Flags = slices.DeleteFunc(l.Flags, func(o string) bool { return strings.EqualFold(o, f) })
			if add {
				l.Flags = append(l.Flags, f)
			}
		}
		if !strings.Contains(t.arg(3), "SILENT") {
			fmt.Fprintf(&out, "* %d FETCH (UID %d FLAGS (%s))\r\n", seq, l.UID, strings.Join(l.Flags, " "))
		}
	})
	c.s.tellLocked()
	c.s.mu.Unlock()
	t.Printf("%s", out.String())
	t.ok("done")
}

func (c *scriptConn) expunge(t *Turn, which func(uint32) bool) {
	c.s.mu.Lock()
	if b := c.s.boxes[c.selected]; b != nil && !c.readOnly {
		b.letters = slices.DeleteFunc(b.letters, func(l *Stored) bool { return which(l.UID) && slices.Contains(l.Flags, `\Deleted`) })
		c.s.tellLocked()
	}
	c.s.mu.Unlock()
	c.update()
	t.ok("done")
}

// transfer is COPY or MOVE.
func (c *scriptConn) transfer(t *Turn, move bool) {
	p := c.s.profile
	c.s.mu.Lock()
	to := c.s.boxes[t.arg(3)]
	if to == nil || to.full {
		c.s.mu.Unlock()
		if to == nil {
			t.no("TRYCREATE", "no such folder")
		} else {
			t.no("OVERQUOTA", "the mailbox is full")
		}
		return
	}
	var from, dest []string
	c.each(t.arg(2), func(_ int, l *Stored) {
		from = append(from, strconv.Itoa(int(l.UID)))
		dest = append(dest, strconv.Itoa(int(c.s.putLocked(to, l.Raw, l.Flags, l.Date))))
	})
	if b := c.s.boxes[c.selected]; move && b != nil {
		b.letters = slices.DeleteFunc(b.letters, func(l *Stored) bool { return slices.Contains(from, strconv.Itoa(int(l.UID))) })
		c.s.tellLocked()
	}
	code := fmt.Sprintf("[COPYUID %d %s %s]", to.validity, strings.Join(from, ","), strings.Join(dest, ","))
	c.s.mu.Unlock()
	if len(from) == 0 || !p.has("UIDPLUS") || p.CopyUID == "none" {
		code = ""
	}
	switch {
	case code == "":
	case p.CopyUID == "bare":
		t.Printf("%s\r\n", code)
		code = ""
	case move:
		t.Printf("* OK %s moved\r\n", code)
		code = ""
	}
	c.update()
	t.ok(strings.TrimSpace(code + " done"))
}

var nameEncoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// EncodeName writes a folder name in modified UTF-7. See RFC 3501 section 5.1.3.
func EncodeName(name string) string {
	var out strings.Builder
	var run []rune
	flush := func() {
		if len(run) == 0 {
			return
		}
		var b []byte
		for _, u := range utf16.Encode(run) {
			b = append(b, byte(u>>8), byte(u))
		}
		out.WriteString("&" + nameEncoding.EncodeToString(b) + "-")
		run = nil
	}
	for _, r := range name {
		switch {
		case r == '&':
			flush()
			out.WriteString("&-")
		case r >= ' ' && r < 0x7f:
			flush()
			out.WriteRune(r)
		default:
			run = append(run, r)
		}
	}
	flush()
	return out.String()
}

// DecodeName reads a folder name in modified UTF-7; what is malformed comes back as it is.
func DecodeName(wire string) string {
	var out strings.Builder
	for rest := wire; rest != ""; {
		before, after, found := strings.Cut(rest, "&")
		out.WriteString(before)
		if !found {
			break
		}
		run, tail, closed := strings.Cut(after, "-")
		raw, err := nameEncoding.DecodeString(run)
		switch {
		case !closed || err != nil:
			return wire
		case run == "":
			out.WriteByte('&')
		default:
			var u []uint16
			for i := 0; i+1 < len(raw); i += 2 {
				u = append(u, uint16(raw[i])<<8|uint16(raw[i+1]))
			}
			out.WriteString(string(utf16.Decode(u)))
		}
		rest = tail
	}
	return out.String()
}
