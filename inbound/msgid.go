package inbound

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// parseIDs reads the message ids of a field, without their angle brackets. Ids may follow each other without blanks or
// with commas, and may hold blanks where they were folded. Where there are brackets, only what stands in them counts;
// otherwise every word with an @, and with lone the whole value when it has no @ at all. See RFC 5322 section 3.6.4.
func parseIDs(raw []byte, lone bool) []string {
	s := string(raw)
	if strings.Contains(s, "=?") {
		s = decodeWords(raw, "")
	}
	s = strings.ToValidUTF8(s, "?")
	var out []string
	add := func(id string) {
		if id = cleanID(id); id != "" {
			out = append(out, id)
		}
	}
	if strings.IndexByte(s, '<') < 0 {
		words := strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '>' })
		for _, w := range words {
			if strings.Contains(w, "@") {
				add(w)
			}
		}
		if len(out) == 0 && lone {
			add(s)
		}
		return out
	}
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		s = s[i+1:]
		end := strings.IndexAny(s, "<>")
		if end < 0 { // cut off
			end = len(s)
			if j := strings.IndexAny(s, " \t,"); j >= 0 {
				end = j
			}
		}
		add(s[:end])
		s = s[end:]
	}
	return out
}

// cleanID removes blanks and controls. An id too long for an index is replaced by its start and a digest.
func cleanID(id string) string {
	id = strings.Map(func(c rune) rune {
		if c <= ' ' || invisible(c) {
			return -1
		}
		return c
	}, id)
	if len(id) > maxMessageID {
		sum := sha256.Sum256([]byte(id))
		id = cutUTF8(id, maxMessageID-65) + "~" + hex.EncodeToString(sum[:])
	}
	return id
}

// messageID returns the letter's own id, "" when it has none.
func messageID(h header) string {
	for _, v := range h.all("message-id") {
		if ids := parseIDs(v, true); len(ids) > 0 {
			return ids[0]
		}
	}
	return ""
}

// references returns the ids of the letters that this one names, oldest first: References, then those of In-Reply-To
// that are not there already. An id that is named twice stands where it was named last. Only the newest are kept.
func references(h header, own string) []string {
	var all []string
	for _, v := range h.all("references") {
		all = append(all, parseIDs(v, false)...)
	}
	all = lastOfEach(all, own)
	known := make(map[string]bool, len(all))
	for _, id := range all {
		known[id] = true
	}
	for _, v := range h.all("in-reply-to") {
		for _, id := range parseIDs(v, false) {
			if !known[id] && id != own {
				known[id] = true
				all = append(all, id)
			}
		}
	}
	if len(all) > maxReferences {
		all = all[len(all)-maxReferences:]
	}
	return all
}

// lastOfEach keeps the last occurrence of each id and drops own.
func lastOfEach(ids []string, own string) []string {
	seen := map[string]bool{own: true}
	var out []string
	for i := len(ids) - 1; i >= 0; i-- {
		if !seen[ids[i]] {
			seen[ids[i]] = true
			out = append(out, ids[i])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// otherIDs returns ids under which the letter was known before a relay gave it another one.
func otherIDs(h header, own string) []string {
	var all []string
	for _, name := range []string{"x-microsoft-original-message-id", "x-google-original-message-id", "x-original-message-id"} {
		for _, v := range h.all(name) {
			all = append(all, parseIDs(v, false)...)
		}
	}
	return lastOfEach(all, own)
}
