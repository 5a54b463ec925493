package inbound

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// jmapLetter is a letter as the labels of mime_stalwart have it: its parts in their order, some of them letters again.
type jmapLetter struct {
	TextBody    []int `json:"text_body"`
	Attachments []int
	Parts       []struct {
		Headers []struct {
			Name, Value json.RawMessage
		}
		Body map[string]json.RawMessage
	}
}

// header reads the value of the first field with the name in a part into v; false when there is none of that form.
func (l *jmapLetter) header(part int, name, form string, v any) bool {
	for _, h := range l.Parts[part].Headers {
		var value map[string]json.RawMessage
		if string(h.Name) == `"`+name+`"` && json.Unmarshal(h.Value, &value) == nil && value[form] != nil {
			return json.Unmarshal(value[form], v) == nil
		}
	}
	return false
}

// kindAndName returns the media type and the name of a part.
func (l *jmapLetter) kindAndName(part int) string {
	kind, name := "text/plain", ""
	for _, field := range []string{"content_type", "content_disposition"} {
		var v struct {
			Type       string `json:"c_type"`
			Sub        string `json:"c_subtype"`
			Attributes []struct{ Name, Value string }
		}
		if !l.header(part, field, "ContentType", &v) {
			continue
		}
		if field == "content_type" {
			kind = strings.ToLower(v.Type + "/" + v.Sub)
		}
		for _, a := range v.Attributes {
			if a.Name == "name" && name == "" || a.Name == "filename" {
				name = a.Value
			}
		}
	}
	return kind + " " + name
}

// gather walks through the parts from the given one on; html tells that not all of the text is plain.
func (l *jmapLetter) gather(part int, text *strings.Builder, files *[]string) (html bool) {
	listed := func(list []int) bool {
		for _, p := range list {
			if p == part {
				return true
			}
		}
		return false
	}
	for form, raw := range l.Parts[part].Body {
		var s string
		switch {
		case form == "Multipart":
			var parts []int
			if json.Unmarshal(raw, &parts) == nil {
				for _, p := range parts {
					html = l.gather(p, text, files) || html
				}
			}
		case form == "Message":
			*files = append(*files, l.kindAndName(part))
			var inner jmapLetter
			if json.Unmarshal(raw, &inner) == nil && len(inner.Parts) > 0 {
				html = inner.gather(0, text, files) || html
			}
		case listed(l.Attachments):
			*files = append(*files, l.kindAndName(part))
		case listed(l.TextBody) && json.Unmarshal(raw, &s) == nil:
			html = html || form == "Html"
			text.WriteString(s)
		}
	}
	return html
}

// TestCorpusStalwart compares with what another library made of its own letters, broken ones among them. They differ where
// it gives up what this package repairs: letters without a boundary, names in charsets that are not declared.
func TestCorpusStalwart(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpora, "mime_stalwart", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("no corpora beside the checkout")
	}
	scores := map[string]*share{"subject": {}, "date": {}, "text": {}, "files": {}}
	compare := func(name, what, got, want string) {
		scores[what].count(got == want)
		if got != want {
			t.Logf("%s: %s %.90q, want %.90q", name, what, got, want)
		}
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".eml")
		if err != nil {
			t.Fatal(err)
		}
		var want jmapLetter
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		f, name := mustReadAll(t, string(raw)), filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file)
		var subject string
		want.header(0, "subject", "Text", &subject)
		compare(name, "subject", f.Letter.Subject, strings.Join(strings.Fields(subject), " "))
		var d struct {
			Year, Month, Day, Hour, Minute, Second int
			Before                                 bool `json:"tz_before_gmt"`
			ZoneHour                               int  `json:"tz_hour"`
			ZoneMinute                             int  `json:"tz_minute"`
		}
		if want.header(0, "date", "DateTime", &d) {
			sign := "+"
			if d.Before {
				sign = "-"
			}
			compare(name, "date", f.Written.Format("2006-01-02T15:04:05-07:00"), fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d%s%02d:%02d", d.Year, d.Month, d.Day, d.Hour, d.Minute, d.Second, sign, d.ZoneHour, d.ZoneMinute))
		}
		var text strings.Builder
		var list, got []string
		if html := want.gather(0, &text, &list); !html {
			compare(name, "text", strings.Join(strings.Fields(f.Unfolded.Text), ""), strings.Join(strings.Fields(text.String()), ""))
		}
		for _, a := range f.Unfolded.Attachments {
			got = append(got, a.Type+" "+a.Name)
		}
		compare(name, "files", strings.Join(got, ", "), strings.Join(list, ", "))
	}
	for what, floor := range map[string]float64{"subject": 0.93, "date": 0.95, "text": 0.76, "files": 0.75} {
		t.Logf("%-8s %s", what, scores[what])
		if scores[what].rate() < floor {
			t.Errorf("%s: fewer than there were", what)
		}
	}
}

// TestCorpusMozilla reads letters in charsets that lie.
func TestCorpusMozilla(t *testing.T) {
	t.Parallel()
	for _, row := range table(t, "charset_mozilla/labels.tsv") {
		raw, err := os.ReadFile(filepath.Join(corpora, "charset_mozilla", row[0]))
		if err != nil {
			t.Fatal(err)
		}
		f := mustReadAll(t, string(raw))
		if f.Letter.Subject != row[2] || strings.TrimSpace(f.Text) != row[3] {
			t.Errorf("%s: subject %q, text %q, want %q", row[0], f.Letter.Subject, f.Text, row[2:])
		}
	}
}

// TestDatesOfRFCs reads the examples of RFC 5322 appendix A.5 and of the RFCs before it.
func TestDatesOfRFCs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)": "1969-02-13T23:32:00-03:30",
		"21 Nov 97 09:55:06 GMT":                          "1997-11-21T09:55:06Z",
		"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600": "1997-11-21T09:55:06-06:00",
	} {
		at, ok := parseDate([]byte(raw))
		if got := at.Format(time.RFC3339); !ok || got != want {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
}
