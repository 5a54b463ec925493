// Package inbound understands a letter as it came from a mail server: who wrote it, to whom, about what, which letters
// it answers, whether a person or a machine wrote it, and which letter it is (its fingerprint). It reads what it
// is given and nothing else and never looks at a clock; the same bytes always give the same facts.
//
// Mail in the wild breaks every rule there is, so nothing here insists on any: a broken header line is dropped, a wrong
// charset is guessed, a letter cut in the middle is read as far as it goes. What was odd is listed in Letter.Problems.
// Work is bounded: see the limits below, and no step costs more than a constant number of passes over the input.
//
// How a letter is read, one file for each step:
//
//	header.go           lines to fields                     RFC 5322 section 2.2, leniently
//	charset.go guess.go bytes to text                       declared charset, or the likeliest one
//	words.go            encoded words                       RFC 2047
//	params.go           Content-Type and its parameters     RFC 2045, RFC 2231
//	entity.go text.go   parts, and the start of the text    RFC 2046, RFC 3676 in flowed.go
//	whole.go scanner.go the same for a letter that passes   bounded memory; letters.go: mbox (RFC 4155)
//	enclosed.go         letters within the letter           RFC 2046 section 5.2.1
//	attachment.go       files, TNEF, what is encrypted      uuencode.go: files in the text
//	address.go msgid.go date.go subject.go                  RFC 5322, RFC 5256
//	class.go and those beside it                            RFC 3464, RFC 3834, RFC 8098, RFC 2919, RFC 2369
//	fingerprint.go      which letter it is
//
// The parts are told apart by own code and not by go-message: that refuses a letter at its first broken header line, a
// part at a missing boundary, a transfer encoding at its first foreign octet, and its walk is quadratic in the depth. Of 713
// letters of the corpora go-message 0.18.2 refuses 172, and reads 503 as this package does (docs/reading.md). A front that
// mends all of this has to find every part and every header itself, and nothing would be left to be done behind it.
// Charsets are golang.org/x/text's, HTML is golang.org/x/net/html's.
package inbound

// Limits on what is looked at. What lies beyond is left out, with a line in Letter.Problems.
const (
	maxHeaderBytes = 256 << 10
	maxHeaderLines = 1000
	maxBodyBytes   = 2 << 20
	maxDepth       = 20
	maxParts       = 500
	maxText        = 64 << 10 // octets of Facts.Text
	maxReferences  = 100
	maxAddresses   = 1000 // of one letter's To and of its Cc
	maxSubject     = 1000 // characters
	maxName        = 300  // characters
	maxAddress     = 320  // characters; the column is as wide
	maxMessageID   = 998  // octets; an index entry must stay small
)
