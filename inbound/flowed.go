package inbound

import "strings"

// unflow joins the lines of a text in format=flowed that the writer's program has broken. delSp says that the blank
// before a soft break is no part of the text. Marks of quotation stay. See RFC 3676
// sections 4 and 5.
func unflow(s string, delSp bool) string {
	var out strings.Builder
	out.Grow(len(s))
	open, depth := false, 0 // a line that goes on, and how deeply it is quoted
	for len(s) > 0 {
		line, rest, _ := strings.Cut(s, "\n")
		s = rest
		line = strings.TrimSuffix(line, "\r")
		d := 0
		for d < len(line) && line[d] == '>' {
			d++
		}
		line = strings.TrimPrefix(line[d:], " ")
		signature := line == "-- "
		if open && (d != depth || signature) {
			out.WriteByte('\n')
			open = false
		}
		if !open && d > 0 {
			out.WriteString(strings.Repeat(">", d))
			if line != "" {
				out.WriteByte(' ')
			}
		}
		flows := strings.HasSuffix(line, " ") && !signature && s != ""
		if flows && delSp {
			line = line[:len(line)-1]
		}
		out.WriteString(line)
		if open, depth = flows, d; !flows {
			out.WriteByte('\n')
		}
	}
	return out.String()
}
