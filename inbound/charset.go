package inbound

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
)

// decodeCharset turns octets into text. The declared charset is believed unless the octets contradict it; an unknown,
// empty or plainly wrong one is guessed, with hint (a charset named elsewhere in the letter, or "") as the favourite.
// The result is valid UTF-8.
func decodeCharset(name string, b []byte, hint string) string {
	name = charsetName(name)
	if ascii(b) && !sevenBitCharset(name, b) {
		return string(b)
	}
	switch name {
	case "", "us-ascii", "utf-8":
		return guessText(b, charsetName(hint))
	case "utf-7":
		return decodeUTF7(b)
	case "utf-16", "utf-16le", "utf-16be":
		return decodeUTF16(name, b)
	case "windows-1252":
		return guessText(b, name) // the label of those who never set one
	}
	enc := lookupCharset(name)
	if enc == nil {
		return guessText(b, charsetName(hint))
	}
	if multibyteUTF8(b) && !manyByteCharset(name) {
		return string(b)
	}
	return decodeAll(enc, b)
}

// decodeRaw decodes header octets that are in no encoded word.
func decodeRaw(b []byte, hint string) string {
	if bytes.Contains(b, []byte("\x1b$")) {
		return decodeAll(japanese.ISO2022JP, b)
	}
	if ascii(b) {
		return string(b)
	}
	return guessText(b, charsetName(hint))
}

func decodeAll(enc encoding.Encoding, b []byte) string {
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil && len(out) == 0 {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// charsetName brings the name of a charset to the one spelling that the rest of the package knows.
func charsetName(name string) string {
	n := strings.ToLower(strings.Trim(name, " \t\"'<>;,"))
	n = strings.TrimPrefix(strings.ReplaceAll(n, "_", "-"), "x-")
	n = strings.TrimPrefix(n, "charset=")
	switch n {
	case "ascii", "ansi-x3.4-1968", "iso646-us", "unknown-8bit", "unknown", "default", "none", "8bit", "7bit", "binary":
		return "us-ascii"
	case "utf8", "unicode-1-1-utf-8", "unicode-2-0-utf-8", "utf-8n", "utf8mb4", "cp65001", "65001":
		return "utf-8"
	case "unicode-1-1-utf-7", "utf7", "cp65000", "65000":
		return "utf-7"
	case "utf16", "ucs-2", "unicode", "iso-10646-ucs-2":
		return "utf-16"
	case "cp1251", "cp-1251", "win-1251", "win1251", "windows1251", "windows-cp1251", "ms1251", "1251", "ansi-1251", "ansi":
		return "windows-1251"
	case "koi8", "koi-8", "koi8r", "koi-8-r", "cskoi8r", "koi8-ru", "koi":
		return "koi8-r"
	case "cp866", "cp-866", "866", "dos-866", "dos866", "ibm-866", "alt":
		return "ibm866"
	case "iso8859-5", "iso-8859.5", "cyrillic", "iso88595":
		return "iso-8859-5"
	case "latin1", "latin-1", "iso-8859-1", "iso8859-1", "iso88591", "cp1252", "win-1252", "windows1252":
		return "windows-1252"
	}
	return n
}

// lookupCharset returns nil for a charset that nobody here knows. See WHATWG Encoding and the IANA registry.
func lookupCharset(name string) encoding.Encoding {
	if enc, err := htmlindex.Get(name); err == nil && enc != encoding.Replacement {
		return enc
	}
	if enc, err := ianaindex.MIME.Encoding(name); err == nil && enc != nil {
		return enc
	}
	if strings.HasPrefix(name, "cp") {
		if enc, err := ianaindex.IANA.Encoding("ibm" + name[2:]); err == nil && enc != nil {
			return enc
		}
		if enc, err := htmlindex.Get("windows-" + name[2:]); err == nil {
			return enc
		}
	}
	return nil
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// sevenBitCharset reports whether octets below 128 may still mean something else than ASCII in the charset.
func sevenBitCharset(name string, b []byte) bool {
	switch {
	case strings.HasPrefix(name, "iso-2022"), strings.HasPrefix(name, "csiso2022"):
		return bytes.IndexByte(b, 0x1b) >= 0
	case name == "utf-7":
		return bytes.IndexByte(b, '+') >= 0
	case name == "hz-gb-2312":
		return bytes.Contains(b, []byte("~{"))
	}
	return strings.HasPrefix(name, "utf-16") && (bytes.IndexByte(b, 0) >= 0 || bytes.IndexByte(b, 4) >= 0)
}

// manyByteCharset reports whether a character of the charset may take several octets, so that octets that happen to be
// UTF-8 prove nothing.
func manyByteCharset(name string) bool {
	for _, p := range []string{"iso-2022", "euc-", "gb", "big5", "shift", "sjis", "ks", "hz", "windows-31j", "ms-kanji", "cp932", "cp936", "cp949", "cp950"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// multibyteUTF8 reports whether b is UTF-8 with at least two characters of several octets.
func multibyteUTF8(b []byte) bool {
	return utf8.Valid(b) && len(b)-utf8.RuneCount(b) >= 2 && utf8.RuneCount(b) > 1
}

// decodeUTF16 believes a byte order mark first, then the name, then where the zeros (or the fours of Cyrillic) stand.
func decodeUTF16(name string, b []byte) string {
	little := name == "utf-16le"
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe {
		little, b = true, b[2:]
	} else if len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff {
		little, b = false, b[2:]
	} else if name == "utf-16" {
		little = littleEndian(b)
	}
	if utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 && bytes.IndexByte(b, 4) < 0 {
		return string(b) // labelled so, but never was
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		u := uint16(b[i])<<8 | uint16(b[i+1])
		if little {
			u = uint16(b[i+1])<<8 | uint16(b[i])
		}
		if u != 0xfeff {
			units = append(units, u)
		}
	}
	return string(utf16.Decode(units))
}

func littleEndian(b []byte) bool {
	even, odd := 0, 0
	for i, c := range b {
		if c != 0 && c != 4 {
			continue
		}
		if i%2 == 0 {
			even++
		} else {
			odd++
		}
	}
	return odd > even
}

// decodeUTF7 decodes UTF-7. See RFC 2152. What is not UTF-7 is left as it is.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); {
		if b[i] != '+' {
			out.WriteByte(b[i])
			i++
			continue
		}
		j := i + 1
		for j < len(b) && base64Value(b[j]) >= 0 {
			j++
		}
		switch bits, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(string(b[i+1:j]), "=")); {
		case j == i+1 && j < len(b) && b[j] == '-':
			out.WriteByte('+')
		case err != nil || len(bits) < 2:
			out.Write(b[i:j])
			i = j
			continue
		default:
			out.WriteString(decodeUTF16("utf-16be", bits))
		}
		if j < len(b) && b[j] == '-' {
			j++
		}
		i = j
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}
