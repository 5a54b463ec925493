package inbound

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sort"
	"strings"
	"time"
	"unicode"

	"kontrol/models"
)

// fingerprintVersion is part of every fingerprint. It must change whenever anything that goes into one does, because
// fingerprints of different making can not be compared.
const fingerprintVersion = "kontrol letter 1"

// fingerprintText is how much of the text, without blanks, goes into the fingerprint of a letter without an id.
const fingerprintText = 4 << 10

// fingerprint says which letter this is, whatever copy of it was read. Copies differ in what servers add on the way
// (Received, Delivered-To, Return-Path, X- fields), in folding and in line ends; so it is made of what the author's
// program wrote and everybody leaves alone:
//
//   - the Message-ID as it is: the name of the letter;
//   - the instant of Date (whole seconds; the raw text when it cannot be read), the sender's address and the decoded
//     subject: ids are given twice by broken programs and by those who forge them, and then these tell the letters
//     apart;
//   - without a Message-ID also the recipients and the start of the text without blanks (of the body as it came, when
//     there is no text), which is all that is left.
//
// Each value goes in with its length, so that no two sets of values look alike.
func fingerprint(l models.Letter, rawDate string, text string) string {
	sum := sha256.New()
	put(sum, fingerprintVersion)
	put(sum, l.MessageID)
	if l.Date != nil {
		put(sum, l.Date.UTC().Format(time.RFC3339))
	} else {
		put(sum, strings.Join(strings.Fields(rawDate), " "))
	}
	put(sum, l.FromAddress)
	put(sum, l.Subject)
	if l.MessageID == "" {
		put(sum, sorted(l.To))
		put(sum, sorted(l.Cc))
		put(sum, textDigest(text))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// put writes a value with its length. A hash never fails to take it.
func put(sum hash.Hash, s string) { fmt.Fprintf(sum, "%d:%s\n", len(s), s) }

func sorted(list []string) string {
	c := append([]string(nil), list...)
	sort.Strings(c)
	return strings.Join(c, ",")
}

// textDigest is the digest of the start of the text without its blanks.
func textDigest(text string) string {
	var out strings.Builder
	for _, c := range text {
		if unicode.IsSpace(c) {
			continue
		}
		if out.Len() >= fingerprintText {
			break
		}
		out.WriteRune(c)
	}
	d := sha256.Sum256([]byte(out.String()))
	return hex.EncodeToString(d[:])
}
