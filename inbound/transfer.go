package inbound

import (
	"bytes"
	"encoding/base64"
)

// transfer undoes a transfer encoding piece by piece. What it gives does not depend on where the pieces are cut, and is
// the same as entity.decoded gives for all of them at once. The result is valid until the next call. See RFC 2045
// section 6.
type transfer struct {
	kind  string // as entity.encoding gives it
	out   []byte
	carry []byte // of the last piece, what cannot be understood yet
	acc   uint32 // base64: bits that are left over
	bits  int
}

// write takes the next piece; last says that there will be no more.
func (t *transfer) write(b []byte, last bool) []byte {
	switch t.kind {
	case "base64":
		return t.base64(b)
	case "quoted-printable":
		return t.quotedPrintable(b, last)
	case "x-uuencode":
		return t.uu(b, last)
	}
	return b
}

// base64 leaves the usual line, of whole groups, to the standard library, which is several times as fast.
func (t *transfer) base64(b []byte) []byte {
	if cap(t.out) < len(b) {
		t.out = make([]byte, len(b))
	}
	whole := bytes.TrimRight(b, "\r\n")
	if t.bits == 0 && len(whole)%4 == 0 && bytes.IndexByte(whole, '=') < 0 {
		if n, err := base64.StdEncoding.Decode(t.out[:cap(t.out)], whole); err == nil && n == len(whole)/4*3 {
			return t.out[:n]
		}
	}
	t.out = t.out[:0]
	for _, c := range b {
		if c == '=' {
			t.acc, t.bits = 0, 0
			continue
		}
		v := base64Value(c)
		if v < 0 {
			continue
		}
		t.acc = t.acc<<6 | uint32(v)
		if t.bits += 6; t.bits >= 8 {
			t.bits -= 8
			t.out = append(t.out, byte(t.acc>>t.bits))
			t.acc &= 1<<t.bits - 1
		}
	}
	return t.out
}

// quotedPrintable keeps back an equals sign near the end: what it means is only seen from what follows.
func (t *transfer) quotedPrintable(b []byte, last bool) []byte {
	if len(t.carry) == 0 && bytes.IndexByte(b, '=') < 0 {
		return b
	}
	t.carry = append(t.carry, b...)
	ready := len(t.carry)
	if !last {
		if i := bytes.LastIndexByte(t.carry[max(0, len(t.carry)-82):], '='); i >= 0 {
			i += max(0, len(t.carry)-82)
			if rest := t.carry[i+1:]; len(rest) < 2 || len(rest) < 81 && len(bytes.Trim(rest, " \t\r")) == 0 {
				ready = i
				for ready > 0 && ready > i-2 && t.carry[ready-1] == '=' { // "==" and "=A=" are not decided either
					ready--
				}
			}
		}
	}
	t.out = decodeQuotedPrintable(t.carry[:ready])
	t.carry = append(t.carry[:0], t.carry[ready:]...)
	return t.out
}

func (t *transfer) uu(b []byte, last bool) []byte {
	t.carry = append(t.carry, b...)
	end := bytes.LastIndexByte(t.carry, '\n') + 1
	if last || len(t.carry)-end > maxUULine {
		end = len(t.carry)
	}
	t.out = decodeUU(t.carry[:end])
	t.carry = append(t.carry[:0], t.carry[end:]...)
	return t.out
}
