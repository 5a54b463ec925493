package inbound

import "strings"

// IsReply reports whether a decoded subject begins like that of an answer or a forwarded letter ("Re:", «Отв:», "FW:"),
// possibly behind bracket tags. It says nothing about letters whose subject was changed by hand.
func IsReply(subject string) bool {
	s := foldSubject(subject)
	for {
		before := s
		s = strings.TrimSpace(trimMarker(strings.TrimSpace(s)))
		if _, ok := cutPrefixWord(s); ok {
			return true
		}
		if _, rest, ok := cutBlob(s); ok {
			s = rest
		}
		if s == before {
			return false
		}
	}
}
