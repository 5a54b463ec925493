package imapsync

import (
	"crypto/sha256"
	"encoding/hex"
)

// HeaderHash returns the hex SHA-256 of a header block by which a copy of a letter is found again after a move. Line
// ends count as CRLF however they are written, and blank lines at the end do not count, because some servers rewrite
// bare LF and some leave the blank line out. Nothing else is normalised: two letters that differ in one octet of a
// header differ here. The empty header has a hash like any other; it never identifies a letter.
func HeaderHash(header []byte) string {
	lines := make([]byte, 0, len(header)+64)
	for i := 0; i < len(header); i++ {
		switch c := header[i]; {
		case c == '\n':
			lines = append(lines, '\r', '\n')
		case c == '\r' && i+1 < len(header) && header[i+1] == '\n':
			// The line feed that follows writes the pair.
		case c == '\r':
			lines = append(lines, '\r', '\n')
		default:
			lines = append(lines, c)
		}
	}
	for len(lines) >= 2 && lines[len(lines)-1] == '\n' {
		lines = lines[:len(lines)-2]
	}
	sum := sha256.Sum256(lines)
	return hex.EncodeToString(sum[:])
}
