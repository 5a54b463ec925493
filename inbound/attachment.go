package inbound

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// isFile reports whether a part is a file that comes with the letter rather than words to be read, when it becomes the
// next child of parent (nil for the letter itself). Much as RFC 8621 section 4.1.4 has it: what its sender calls an
// attachment, what is no text, and named texts that are not the first thing in the letter.
func isFile(e, parent *entity) bool {
	kind, major := e.media.kind, e.media.major()
	if major == "multipart" {
		return false
	}
	first := parent == nil || len(parent.children) == 0
	named := e.fileName() != ""
	switch {
	case e.disposition.kind == "attachment":
		return true
	case kind == "", major == kind, major == "text" && !textWithoutReader(kind):
		return !first && (named || parent.media.kind == "multipart/related" && hasText(parent)) && parent.media.kind != "multipart/alternative"
	case forMachines(kind):
		return named
	}
	return true
}

// hasText reports whether an earlier part of a container holds words to be read.
func hasText(e *entity) bool {
	for _, c := range e.children {
		if major := c.media.major(); !c.file && (major == "text" || major == "multipart" || major == "") {
			return true
		}
	}
	return false
}

// forMachines names the parts of reports, and of letters in three forms, that nobody keeps as a file.
func forMachines(kind string) bool {
	switch kind {
	case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification", "message/feedback-report",
		"text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/x-amp-html", "text/watch-html", "application/pgp-encrypted":
		return true
	}
	return false
}

// fileName returns the name of a part, without directories; "" when it has none.
func (e *entity) fileName() string {
	name := e.disposition.params["filename"]
	if name == "" {
		name = e.media.params["name"]
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return cleanLine(name, maxName)
}

// attachments lists the files under e, in the order of the letter. A file that is not there to its end has no SHA256.
func (e *entity) attachments() []Attachment {
	var out []Attachment
	e.walk(func(x *entity) { out = append(out, x.files()...) })
	return out
}

// files returns the part itself when it is a file, else the files that stand in its text.
func (e *entity) files() []Attachment {
	if !e.file {
		return e.within
	}
	if !e.plain {
		body := e.decoded(maxBodyBytes)
		if isLetter(e.media.kind) {
			body = enclosedOctets(body, e.encoding())
		}
		e.size, e.sum = int64(len(body)), sumOf(body)
	}
	if e.cut {
		e.sum = ""
	}
	kind := e.media.kind
	if kind == "" {
		kind = "text/plain" // RFC 2045 section 5.2
	}
	return []Attachment{{Name: e.fileName(), Type: kind, Size: e.size, SHA256: e.sum}}
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// notices tells what a person must know about the parts because the words do not say it: what is encrypted, and files
// that only Outlook opens.
func (e *entity) notices(text string) []string {
	var out []string
	add := func(s string) {
		if !has(out, s) {
			out = append(out, s)
		}
	}
	e.walk(func(x *entity) {
		switch x.media.kind {
		case "multipart/encrypted":
			add("encrypted (OpenPGP): the text cannot be read")
		case "application/pkcs7-mime", "application/x-pkcs7-mime":
			if smime := strings.ToLower(x.media.params["smime-type"]); smime == "" || strings.Contains(smime, "enveloped") {
				add("encrypted (S/MIME): the text cannot be read")
			} else if smime == "signed-data" {
				add("signed in one piece (S/MIME): the text stands in the attachment")
			}
		}
		if x.file && isTNEF(x) {
			add("attachment in Outlook's own format (TNEF, winmail.dat): what it holds was not read")
		}
	})
	if strings.Contains(text, "-----BEGIN PGP MESSAGE-----") {
		add("encrypted (OpenPGP): the text cannot be read")
	}
	return out
}

// isTNEF recognises Outlook's own format by its type, its usual name, or its first octets. See MS-OXTNEF section 2.1.3.
func isTNEF(e *entity) bool {
	switch e.media.kind {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return true
	case "application/octet-stream":
		return strings.EqualFold(e.fileName(), "winmail.dat") || bytes.HasPrefix(e.decoded(8), []byte{0x78, 0x9f, 0x3e, 0x22})
	}
	return false
}
