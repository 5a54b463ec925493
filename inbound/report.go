package inbound

import (
	"bytes"
	"strings"
)

// maxReport bounds what is read of a machine-readable report, in octets.
const maxReport = 64 << 10

// statusBlocks returns the groups of fields of the machine-readable parts of a report. See RFC 3464 section 2.1 and
// RFC 8098 section 3.
func statusBlocks(root *entity) []header {
	var blocks []header
	root.walk(func(e *entity) {
		switch e.media.kind {
		case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification":
		default:
			return
		}
		rest := e.decoded(maxReport)
		for len(rest) > 0 && len(blocks) < maxParts {
			var h header
			before := len(rest)
			h, rest, _ = scanHeader(rest)
			if len(h) > 0 {
				blocks = append(blocks, h)
			}
			if len(rest) == before {
				break
			}
		}
	})
	return blocks
}

// deliveredOnly reports whether a delivery report tells of success only.
func deliveredOnly(root *entity) bool {
	actions := 0
	for _, b := range statusBlocks(root) {
		switch b.token("action") {
		case "":
		case "delivered", "relayed", "expanded":
			actions++
		default:
			return false
		}
	}
	return actions > 0
}

// readReport reads the machine-readable part of a report and the header of the letter that it returns; nil when there is
// neither.
func readReport(root *entity) *Report {
	var rep Report
	found := false
	for _, b := range statusBlocks(root) {
		found = true
		if s := b.token("status"); s != "" && rep.Status == "" {
			rep.Status = s
		}
		rep.Delayed = rep.Delayed || b.token("action") == "delayed"
		if a := reportedAddress(b); a != "" && !has(rep.Recipients, a) && len(rep.Recipients) < maxAddresses {
			rep.Recipients = append(rep.Recipients, a)
		}
		if v, ok := b.first("original-message-id"); ok && rep.OriginalID == "" {
			rep.OriginalID = firstID(v)
		}
	}
	root.walk(func(e *entity) {
		switch e.media.kind {
		case "message/rfc822", "message/rfc822-headers", "text/rfc822-headers", "message/global", "message/global-headers":
			if rep.OriginalID == "" {
				h, _, _ := scanHeader(e.decoded(maxReport))
				rep.OriginalID = messageID(h)
				found = found || rep.OriginalID != ""
			}
		}
	})
	if !found {
		return nil
	}
	return &rep
}

// reportedAddress takes the recipient out of a group of fields: "rfc822; a@b". See RFC 3464 section 2.3.2.
func reportedAddress(b header) string {
	for _, name := range []string{"original-recipient", "final-recipient"} {
		v, ok := b.first(name)
		if !ok {
			continue
		}
		if i := bytes.IndexByte(v, ';'); i >= 0 {
			v = v[i+1:]
		}
		for _, m := range parseAddresses(v, "") {
			if strings.Contains(m.address, "@") {
				return m.address
			}
		}
	}
	return ""
}

func firstID(v []byte) string {
	if ids := parseIDs(v, true); len(ids) > 0 {
		return ids[0]
	}
	return ""
}
