package payments

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Keys returns for each document what it is known by, so that a file that is imported again, or overlaps another, changes
// nothing: our account, the payer's account and taxpayer number, number, date and sum of the document, and its purpose. The
// number alone is unique only to a payer and a day. Documents of one file that agree in everything are counted. The day
// the money came is not part of it: the same document may be exported before and after.
func Keys(documents []Document) []string {
	out := make([]string, len(documents))
	seen := make(map[[sha256.Size]byte]int, len(documents))
	for i := range documents {
		d := &documents[i]
		base := sha256.Sum256([]byte(strings.Join([]string{string(side(d.Direction)), d.Payee.Account, d.Payer.Account, d.Payer.INN, d.Number, d.Date.Format("20060102"),
			fmt.Sprint(d.Amount.Minor), rouble(d.Amount).Currency, fold(d.Purpose)}, "\x00")))
		seen[base]++
		out[i] = fmt.Sprintf("%s-%d", hex.EncodeToString(base[:16]), seen[base])
	}
	return out
}

// side is the direction as far as it cannot change between two exports of a document.
func side(d Direction) Direction {
	if d == DirectionOut {
		return d
	}
	return DirectionIn
}
