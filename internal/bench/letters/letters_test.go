package letters_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"kontrol/inbound"
	"kontrol/internal/bench/letters"
)

func TestLettersAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	a, b := letters.NewMaker(42), letters.NewMaker(42)
	for i := range 50 {
		if x, y := a.Letter(1, i, letters.Mixed), b.Letter(1, i, letters.Mixed); !bytes.Equal(x.Raw, y.Raw) || x.ID != y.ID {
			t.Fatalf("letter %d differs", i)
		}
	}
	if bytes.Equal(a.Letter(1, 0, letters.NoRule).Raw, letters.NewMaker(43).Letter(1, 0, letters.NoRule).Raw) {
		t.Error("another seed gives the same letter")
	}
}

// Half of the letters match exactly the rule that they were made for, as Kontrol reads them; the others match none.
func TestLettersMatchTheirRuleAndNoOther(t *testing.T) {
	t.Parallel()
	m, matcher, rules := letters.NewMaker(42), letters.NewMatcher(), letters.Rules()
	if len(rules) != 30 {
		t.Fatalf("%d rules, want 30", len(rules))
	}
	var sizes []int
	for i := range 2000 {
		l := m.Letter(1, i, letters.Mixed)
		sizes = append(sizes, len(l.Raw))
		raw := bytes.ReplaceAll(l.Raw, []byte("\n"), []byte("\r\n"))
		head, text, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		f, err := inbound.Read(inbound.Source{Header: head, Text: text, Size: int64(len(raw)), InternalDate: l.Date}, inbound.Own{})
		if err != nil {
			t.Fatalf("letter %d: %v", i, err)
		}
		folder, ok := matcher.Match(f.Letter.FromAddress, f.Letter.Subject, f.References)
		if ok != (l.Rule >= 0) || ok && folder != rules[l.Rule].Folder {
			t.Errorf("letter %d, made for rule %d: folder %d, %v", i, l.Rule, folder, ok)
		}
		if f.Letter.MessageID != l.ID && l.ID != "" {
			t.Errorf("letter %d has Message-ID %q, want %q", i, f.Letter.MessageID, l.ID)
		}
		if l.Date.After(time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("letter %d is dated %v", i, l.Date)
		}
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median < 4000 || median > 7000 {
		t.Errorf("half of the letters are shorter than %d octets, want about 5,000", median)
	}
	if largest := sizes[len(sizes)-1]; largest < 150000 {
		t.Errorf("the largest letter has %d octets, want some 200,000", largest)
	}
}

func TestIDsAreSplit(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"References: <a@x>\r\n <b@y>\r\n": {"a@x", "b@y"}, "": nil, "<open": nil, "<a> junk": {"a"},
	} {
		if got := letters.SplitIDs(in); !slices.Equal(got, want) {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
