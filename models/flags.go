package models

import "strings"

// hasFlag compares as IMAP does: without regard to case. See RFC 9051 section 2.3.2.
func (l Location) hasFlag(flag string) bool {
	for _, f := range l.Flags {
		if strings.EqualFold(f, flag) {
			return true
		}
	}
	return false
}
