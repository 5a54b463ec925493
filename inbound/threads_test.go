package inbound

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// written renders conversations as IMAP's THREAD answer does, without a place for letters that are not there. See RFC 5256
// section 4.
func written(threads [][]ThreadNode) string {
	var out strings.Builder
	for _, nodes := range threads {
		children := map[int][]int{}
		for i, n := range nodes {
			children[n.Parent] = append(children[n.Parent], i)
		}
		var write func(i int)
		write = func(i int) {
			out.WriteString(strconv.Itoa(nodes[i].Letter + 1))
			for _, c := range children[i] {
				if len(children[i]) > 1 {
					out.WriteString(" (")
					write(c)
					out.WriteByte(')')
					continue
				}
				out.WriteByte(' ')
				write(c)
			}
		}
		out.WriteByte('(')
		for k, c := range children[-1] {
			if len(children[-1]) > 1 {
				if k > 0 {
					out.WriteByte(' ')
				}
				out.WriteByte('(')
			}
			write(c)
			if len(children[-1]) > 1 {
				out.WriteByte(')')
			}
		}
		out.WriteByte(')')
	}
	return strings.ReplaceAll(out.String(), ") (", ")(")
}

// readThreaded reads a mailbox as the command does.
func readThreaded(t *testing.T, raw []byte) []Threaded {
	t.Helper()
	var list []Threaded
	if err := ReadBox(bytes.NewReader(raw), func(h []byte, at time.Time) error {
		l, _ := ThreadedOf(h, at)
		list = append(list, l)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCorpusThreadsOfImaptest plays the scripts of imaptest: every THREAD answer must be equal.
func TestCorpusThreadsOfImaptest(t *testing.T) {
	t.Parallel()
	boxes, _ := filepath.Glob(filepath.Join(corpora, "thread_imaptest", "*.mbox"))
	if len(boxes) == 0 {
		t.Skip("no corpora beside the checkout")
	}
	same := share{}
	for _, box := range boxes {
		raw, err := os.ReadFile(box)
		if err != nil {
			t.Fatal(err)
		}
		script, err := os.ReadFile(strings.TrimSuffix(box, ".mbox"))
		if err != nil {
			t.Fatal(err)
		}
		letters, how := readThreaded(t, raw), ByReferences
		for _, line := range strings.Split(strings.ToLower(string(script)), "\n") {
			words := strings.Fields(line)
			switch {
			case strings.HasPrefix(line, "ok thread orderedsubject"):
				how = BySubject
			case strings.HasPrefix(line, "ok store ") && strings.Contains(line, "deleted"): // what the next line expunges
				n, err := strconv.Atoi(words[2])
				if err != nil {
					t.Fatal(err)
				}
				letters = slices.Delete(letters, n-1, n)
			case strings.HasPrefix(line, "* thread "):
				want, got := strings.ReplaceAll(strings.TrimPrefix(line, "* thread "), ") (", ")("), written(Threads(letters, how))
				same.count(got == want)
				if got != want {
					t.Errorf("%s: got %s, want %s", filepath.Base(box), got, want)
				}
			}
		}
	}
	t.Logf("thread_imaptest: %s", same)
}

// TestCorpusThreadsOfNotmuch compares which letters are together with what notmuch says.
func TestCorpusThreadsOfNotmuch(t *testing.T) {
	t.Parallel()
	for _, how := range []Threading{ByReferences, ByReferencesOnly} {
		var letters []Threaded
		wanted := map[string][]int{}
		for i, row := range table(t, "thread_notmuch/labels.tsv") {
			raw, err := os.ReadFile(filepath.Join(corpora, "thread_notmuch", row[0]))
			if err != nil {
				t.Fatal(err)
			}
			letters = append(letters, readThreaded(t, raw)...)
			wanted[row[2]] = append(wanted[row[2]], i)
			if len(letters) != i+1 || letters[i].ID != row[1] {
				t.Fatalf("%s: %d letters, id %q, want %q", row[0], len(letters), letters[i].ID, row[1])
			}
		}
		got := map[string]bool{}
		for _, nodes := range Threads(letters, how) {
			var members []int
			for _, n := range nodes {
				members = append(append(members, n.Letter), n.Copies...)
			}
			slices.Sort(members)
			got[fmt.Sprint(members)] = true
		}
		same := share{}
		for id, members := range wanted {
			same.count(got[fmt.Sprint(members)])
			if !got[fmt.Sprint(members)] {
				t.Errorf("way %d: the letters of %s (%v) are not one conversation", how, id, members)
			}
		}
		t.Logf("thread_notmuch, way %d: %s", how, same)
	}
}

func TestThreads(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	for name, c := range map[string]struct {
		letters []Threaded
		how     Threading
		want    string
	}{
		"nothing":                     {nil, ByReferences, ""},
		"chain":                       {[]Threaded{{ID: "a"}, {ID: "b", References: []string{"a"}}, {ID: "c", References: []string{"a", "b"}}}, 0, "(1 2 3)"},
		"a letter is missing":         {[]Threaded{{ID: "a"}, {ID: "c", References: []string{"a", "b"}}}, 0, "(1 2)"},
		"the first is missing":        {[]Threaded{{ID: "b", References: []string{"a"}}, {ID: "c", References: []string{"a"}}}, 0, "((1)(2))"},
		"answers before their letter": {[]Threaded{{ID: "b", References: []string{"a"}, At: day(1)}, {ID: "a", At: day(0)}}, 0, "(2 1)"},
		"a circle":                    {[]Threaded{{ID: "a", References: []string{"b"}}, {ID: "b", References: []string{"a"}}}, 0, "(2 1)"},
		"itself":                      {[]Threaded{{ID: "a", References: []string{"a"}}}, 0, "(1)"},
		"one id twice":                {[]Threaded{{ID: "a"}, {ID: "a"}, {ID: "b", References: []string{"a"}}}, 0, "(1 3)(2)"},
		"a copy":                      {[]Threaded{{ID: "a", Print: "p"}, {ID: "a", Print: "p"}, {ID: "b", References: []string{"a"}}}, 0, "(1 3)"},
		"a rewritten id":              {[]Threaded{{ID: "new", OtherIDs: []string{"old"}}, {ID: "b", References: []string{"old"}}, {ID: "c", References: []string{"new"}}}, 0, "(1 (2)(3))"},
		"answer by subject":           {[]Threaded{{ID: "a", Subject: "Счёт", At: day(0)}, {ID: "b", Subject: "Отв: Счет", At: day(59)}}, 0, "(1 2)"},
		"answer by subject, too late": {[]Threaded{{ID: "a", Subject: "Счёт", At: day(0)}, {ID: "b", Subject: "Re: Счёт", At: day(61)}}, 0, "(1)(2)"},
		"alive by its newest letter":  {[]Threaded{{ID: "a", Subject: "Счёт", At: day(0)}, {ID: "x", Subject: "Re: Счёт", References: []string{"a"}, At: day(50)}, {ID: "b", Subject: "Re: Счёт", At: day(100)}}, 0, "(1 (2)(3))"},
		"equal subjects, no answer":   {[]Threaded{{ID: "a", Subject: "Счёт"}, {ID: "b", Subject: "Счёт"}}, 0, "(1)(2)"},
		"answers to the newer":        {[]Threaded{{ID: "a", Subject: "Счёт", At: day(0)}, {ID: "b", Subject: "Счёт", At: day(5)}, {ID: "c", Subject: "Re: Счёт", At: day(6)}}, 0, "(1)(2 3)"},
		"two answers":                 {[]Threaded{{ID: "a", Subject: "Re: Счёт"}, {ID: "b", Subject: "RE[2]: Счёт"}, {ID: "c", Subject: "Re: Счёт"}}, 0, "((1)(2)(3))"},
		"not by subject":              {[]Threaded{{ID: "a", Subject: "Счёт"}, {ID: "b", Subject: "Re: Счёт"}}, ByReferencesOnly, "(1)(2)"},
		"a changed subject stays":     {[]Threaded{{ID: "a", Subject: "Счёт"}, {ID: "b", Subject: "Оплата", References: []string{"a"}}}, 0, "(1 2)"},
	} {
		if got := written(Threads(c.letters, c.how)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// checkThreads checks what holds whatever the letters say.
func checkThreads(t interface{ Errorf(string, ...any) }, n int, threads [][]ThreadNode) {
	seen := make([]bool, n)
	for _, nodes := range threads {
		for i, node := range nodes {
			if node.Letter < 0 || node.Letter >= n || seen[node.Letter] {
				t.Errorf("letter %d is there twice, or is none", node.Letter)
				return
			}
			seen[node.Letter] = true
			for _, c := range node.Copies {
				if seen[c] {
					t.Errorf("copy %d is there twice", c)
				}
				seen[c] = true
			}
			if node.Parent >= i || node.Parent < -1 {
				t.Errorf("parent %d of %d", node.Parent, i)
				return
			}
			if node.Parent >= 0 && node.Depth != nodes[node.Parent].Depth+1 || node.Parent < 0 && node.Depth != 0 {
				t.Errorf("depth %d", node.Depth)
				return
			}
		}
	}
	for i, ok := range seen {
		if !ok {
			t.Errorf("letter %d is missing", i)
			return
		}
	}
}

func TestThreadsKeepEveryLetter(t *testing.T) {
	t.Parallel()
	id := rapid.SampledFrom([]string{"", "a", "b", "c", "d", "e", "f", "g"})
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Threaded {
			return Threaded{ID: id.Draw(t, "id"), Print: rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "print"), OtherIDs: rapid.SliceOfN(id, 0, 2).Draw(t, "others"), References: rapid.SliceOfN(id, 0, 4).Draw(t, "refs"),
				Subject: rapid.SampledFrom([]string{"", "x", "Re: x", "Fwd: y", "y"}).Draw(t, "subject"), At: time.Unix(rapid.Int64Range(0, 1e7).Draw(t, "at"), 0)}
		}), 0, 12).Draw(t, "letters")
		for _, how := range []Threading{ByReferences, ByReferencesOnly, BySubject} {
			checkThreads(t, len(letters), Threads(letters, how))
		}
	})
}

// TestThreadsOfHostileChains makes the shapes that cost most where the cost is not that of sorting.
func TestThreadsOfHostileChains(t *testing.T) {
	t.Parallel()
	const n = 100_000
	id := func(i int) string { return strconv.Itoa(i) + "@x" }
	chain, back, star, mesh := make([]Threaded, n), make([]Threaded, n), make([]Threaded, n), make([]Threaded, n/10)
	gone := make([]Threaded, n/10) // a long chain of missing letters that all others hang on
	for i := range n {
		chain[i] = Threaded{ID: id(i), References: []string{id(i - 1)}, Subject: "Re: x"}
		back[n-1-i] = chain[i]
		star[i] = Threaded{ID: id(i), References: []string{"missing"}, Subject: "Re: " + id(i%7)}
	}
	for i := range mesh {
		mesh[i].ID = id(i)
		for k := range 100 {
			mesh[i].References = append(mesh[i].References, "m"+id((i*k+k)%len(mesh)))
		}
	}
	for i := range gone {
		for k := range 100 {
			gone[i].References = append(gone[i].References, "g"+id(i*50+k))
		}
	}
	for _, letters := range [][]Threaded{chain, back, star, mesh, gone} {
		quick(t, func() { checkThreads(t, len(letters), Threads(letters, ByReferences)) })
	}
}

func TestReadBox(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*maxBoxLine)
	for name, c := range map[string]struct {
		box  string
		want string
	}{
		"empty":               {"", ""},
		"one letter, no mbox": {"Message-ID: <a@b>\n\nFrom here to there\n\nFrom x Mon Nov 23 10:00:00 2026\n", "a@b"},
		"two":                 {"From a@b Mon Nov 23 10:00:00 2026\nMessage-ID: <1@x>\n\nbody\n\nFrom a@b Mon Nov 23 11:00:00 2026 +0300\r\nMessage-ID: <2@x>\r\n\r\n", "1@x 23 10:00 2@x 23 08:00"},
		"a line of a body":    {"From a@b Mon Nov 23 10:00:00 2026\nMessage-ID: <1@x>\n\nFrom me, too\nMessage-ID: <no@x>\n", "1@x 23 10:00"},
		"long lines":          {"From a Mon Nov 23 10:00:00 2026\nSubject: " + long + "\nMessage-ID: <1@x>\n\n" + long + "\n" + long + "\n\nFrom a Mon Nov 23 10:00:00 2026\nMessage-ID: <2@x>\n", "1@x 23 10:00 2@x 23 10:00"},
	} {
		var got []string
		for _, l := range readThreaded(t, []byte(c.box)) {
			got = append(got, l.ID)
			if !l.At.IsZero() {
				got = append(got, l.At.Format("02 15:04"))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func FuzzThreads(f *testing.F) {
	f.Add([]byte("From a Mon Nov 23 10:00:00 2026\nMessage-ID: <1@x>\nReferences: <2@x>\n\nFrom a Mon Nov 23 10:00:00 2026\nMessage-ID: <2@x>\nIn-Reply-To: <1@x>\nSubject: Re: x\n\n"))
	f.Add([]byte("From \nReferences: <a@b> <a@b> <c@d>\n\n\nFrom \nMessage-ID: <c@d>\nX-Microsoft-Original-Message-ID: <a@b>\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		quick(t, func() {
			letters := readThreaded(t, b)
			for _, how := range []Threading{ByReferences, ByReferencesOnly, BySubject} {
				checkThreads(t, len(letters), Threads(letters, how))
			}
		})
	})
}
