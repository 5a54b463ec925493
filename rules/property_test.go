package rules_test

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/models"
	"kontrol/rules"
)

var (
	classes    = []models.Class{models.ClassPerson, models.ClassPerson, models.ClassBounce, models.ClassAutoReply, models.ClassList, models.ClassInternal, models.ClassReceipt, ""}
	directions = []models.Direction{models.Inbound, models.Outbound, models.Internal, ""}
	roles      = []models.FolderRole{models.FolderInbox, models.FolderInbox, models.FolderSent, models.FolderProcessed, models.FolderControl, ""}
	addresses  = []string{client, colleague, stranger, manager, "boss@our.ru", ""}
)

func anyLetter(t *rapid.T, id int64) models.Letter {
	return models.Letter{
		ID: id, MessageID: rapid.SampledFrom([]string{"", "m" + strconv.FormatInt(id, 10)}).Draw(t, "message id"),
		Direction: rapid.SampledFrom(directions).Draw(t, "direction"), Class: rapid.SampledFrom(classes).Draw(t, "class"),
		FromAddress: rapid.SampledFrom(addresses).Draw(t, "from"),
		To:          rapid.SliceOfN(rapid.SampledFrom(addresses), 0, 2).Draw(t, "to"),
		ReplyTo:     rapid.SliceOfN(rapid.SampledFrom(addresses), 0, 1).Draw(t, "reply to"),
		BaseSubject: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "subject"),
		ArrivedAt:   now.Add(-time.Duration(rapid.IntRange(0, 5).Draw(t, "age")) * time.Hour),
	}
}

func anySibling(t *rapid.T, id int64) rules.Sibling {
	ids := []string{"m1", "m2", "m3", "m4", "m5", "other"}
	return rules.Sibling{
		Letter: anyLetter(t, id), References: rapid.SliceOfN(rapid.SampledFrom(ids), 0, 3).Draw(t, "references"),
		Sent: rapid.Bool().Draw(t, "sent"), Draft: rapid.IntRange(0, 5).Draw(t, "draft") == 0,
		MailboxAddress: rapid.SampledFrom([]string{manager, "sales@our.ru"}).Draw(t, "mailbox"),
	}
}

func anyFacts(t *rapid.T) rules.Facts {
	f := facts()
	f.Letter = anyLetter(t, 1)
	f.Copy = rules.Copy{
		FolderRole: rapid.SampledFrom(roles).Draw(t, "role"), Flagged: rapid.Bool().Draw(t, "flagged"),
		Deleted: rapid.IntRange(0, 5).Draw(t, "deleted") == 0, HandsOff: rapid.IntRange(0, 3).Draw(t, "hands off") == 0,
		FirstLook: rapid.Bool().Draw(t, "first look"), OpenFiling: rapid.IntRange(0, 5).Draw(t, "open filing") == 0,
	}
	for id := range rapid.Int64Range(0, 5).Draw(t, "siblings") {
		s := anySibling(t, id+2)
		f.Thread = append(f.Thread, s)
		if rapid.IntRange(0, 3).Draw(t, "second copy") == 0 {
			s.MailboxAddress = "second@our.ru"
			f.Thread = append(f.Thread, s)
		}
	}
	for n := range rapid.Int64Range(0, 3).Draw(t, "deals") {
		f.Deals = append(f.Deals, rules.Deal{Number: n, StageKind: models.StageOpen,
			Outstanding: rapid.Bool().Draw(t, "outstanding"), Linked: rapid.IntRange(0, 3).Draw(t, "linked") == 0})
	}
	f.StarredInThread = rapid.Bool().Draw(t, "starred")
	return f
}

func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		g := f
		g.Thread = rapid.Permutation(slices.Clone(f.Thread)).Draw(t, "thread order")
		g.Deals = rapid.Permutation(slices.Clone(f.Deals)).Draw(t, "deal order")
		before := slices.Clone(f.Thread)
		d := rules.Decide(f)
		if !reflect.DeepEqual(d, rules.Decide(f)) || !reflect.DeepEqual(d, rules.Decide(g)) {
			t.Fatalf("decisions differ:\n%+v\n%+v", d, rules.Decide(g))
		}
		if !reflect.DeepEqual(before, f.Thread) {
			t.Fatal("the facts were changed")
		}
	})
}

func TestNeverFiledWithoutReason(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		d := rules.Decide(f)
		if d.Rule == "" || len(d.Trace) == 0 {
			t.Fatalf("no reason: %+v", d)
		}
		if d.Action == models.ActionStay {
			if d.Target != "" || d.AnswerID != nil {
				t.Fatalf("stays with a target: %+v", d)
			}
			return
		}
		l := f.Letter
		if f.Copy.FolderRole != models.FolderInbox || f.Copy.HandsOff || f.Copy.Deleted || f.Copy.OpenFiling ||
			l.Direction != models.Inbound || l.Class != models.ClassPerson {
			t.Fatalf("filed what is not to be touched: %+v", f)
		}
		if d.Target != models.FolderControl && d.Target != models.FolderProcessed {
			t.Fatalf("target %q", d.Target)
		}
		at := slices.IndexFunc(f.Thread, func(s rules.Sibling) bool { return d.AnswerID != nil && s.Letter.ID == *d.AnswerID })
		if at < 0 {
			t.Fatalf("filed without an answer: %+v", d)
		}
		a := f.Thread[at]
		if !a.Sent || a.Draft || a.Letter.Class != models.ClassPerson || a.Letter.Direction != models.Outbound || len(a.References) == 0 {
			t.Fatalf("answered by %+v", a)
		}
	})
}

func TestUnansweredNeverFiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		f.Thread = slices.DeleteFunc(f.Thread, func(s rules.Sibling) bool {
			return s.Sent && s.Letter.Direction == models.Outbound && s.Letter.Class == models.ClassPerson
		})
		if d := rules.Decide(f); d.Action != models.ActionStay {
			t.Fatalf("filed: %+v", d)
		}
	})
}

// TestWhatIsNoAnswerChangesNothing adds what lies in Sent without being an answer; only the explanation may grow.
func TestWhatIsNoAnswerChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		s := anySibling(t, 99)
		s.Sent, s.Letter.Direction = true, models.Outbound
		s.References = append(s.References, f.Letter.MessageID)
		switch kind := rapid.SampledFrom([]string{"auto-reply", "bounce", "list", "receipt", "forward", "third party", "draft"}).Draw(t, "kind"); kind {
		case "auto-reply":
			s.Letter.Class = models.ClassAutoReply
		case "bounce":
			s.Letter.Class = models.ClassBounce
		case "list":
			s.Letter.Class = models.ClassList
		case "receipt":
			s.Letter.Class = models.ClassReceipt
		case "forward":
			s.Letter.Class, s.Letter.Direction, s.Letter.To = models.ClassInternal, models.Internal, models.Strings{"boss@our.ru"}
		case "third party":
			s.Letter.Class, s.Letter.To = models.ClassPerson, models.Strings{"elsewhere@third.example"}
		case "draft":
			s.Draft = true
		}
		g := f
		g.Thread = append(slices.Clone(f.Thread), s)
		x, y := rules.Decide(f), rules.Decide(g)
		if x.Action != y.Action || x.Target != y.Target || x.Rule != y.Rule || !reflect.DeepEqual(x.AnswerID, y.AnswerID) {
			t.Fatalf("outcome changed:\n%+v\n%+v", x, y)
		}
	})
}

// plainAnswer says in the plainest way which letter answers: zero when none does.
func plainAnswer(f rules.Facts) int64 {
	sorted := slices.SortedFunc(slices.Values(f.Thread), func(a, b rules.Sibling) int {
		return cmp.Or(a.Letter.ArrivedAt.Compare(b.Letter.ArrivedAt), cmp.Compare(a.Letter.ID, b.Letter.ID))
	})
	direct, other := int64(0), int64(0)
	for _, s := range sorted {
		if s.Letter.ID == f.Letter.ID || !s.Sent || s.Draft || s.Letter.Class != models.ClassPerson || s.Letter.Direction != models.Outbound {
			continue
		}
		reached := slices.ContainsFunc(slices.Concat(s.Letter.To, s.Letter.Cc), func(to string) bool {
			return !f.Own(to) && slices.ContainsFunc(append([]string{f.Letter.FromAddress}, f.Letter.ReplyTo...), func(from string) bool {
				return to != "" && from != "" && !f.Own(from) && f.SameParty(to, from)
			})
		})
		names := func(l models.Letter) bool { return l.MessageID != "" && slices.Contains(s.References, l.MessageID) }
		later := slices.ContainsFunc(f.Thread, func(l rules.Sibling) bool {
			return !l.Sent && l.Letter.ID != f.Letter.ID && l.Letter.Direction == models.Inbound && names(l.Letter) &&
				!l.Letter.ArrivedAt.Before(f.Letter.ArrivedAt) && !s.Letter.ArrivedAt.Before(f.Letter.ArrivedAt)
		})
		switch {
		case reached && names(f.Letter) && direct == 0:
			direct = s.Letter.ID
		case reached && later && other == 0:
			other = s.Letter.ID
		}
	}
	return cmp.Or(direct, other)
}

// A thread that was prepared once decides about all its letters as each decided about alone, also about those that lie in
// a Sent folder themselves; and the answer is the one that the plain words of the procedure mean.
func TestThreadForAllItsLetters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var siblings []rules.Sibling
		for id := range rapid.Int64Range(1, 9).Draw(t, "siblings") {
			s := anySibling(t, id+1)
			s.Letter.Class, s.Draft = models.ClassPerson, rapid.IntRange(0, 7).Draw(t, "draft") == 0
			if s.Letter.Direction = models.Inbound; s.Sent && rapid.IntRange(0, 5).Draw(t, "dragged") > 0 {
				s.Letter.Direction = models.Outbound
			}
			siblings = append(siblings, s)
		}
		thread := rules.NewThread(slices.Clone(siblings))
		for _, s := range siblings {
			f := facts()
			f.Letter, f.Copy.Flagged = s.Letter, rapid.Bool().Draw(t, "flagged")
			d := thread.Decide(f)
			f.Thread = siblings
			if alone := rules.Decide(f); !reflect.DeepEqual(d, alone) {
				t.Fatalf("in the thread:\n%+v\nalone:\n%+v", d, alone)
			}
			var answer int64
			if d.AnswerID != nil {
				answer = *d.AnswerID
			}
			if d.Rule == "answered" || d.Rule == "unanswered" {
				if want := plainAnswer(f); answer != want {
					t.Fatalf("answered by %d, want %d:\n%+v", answer, want, d)
				}
			}
		}
	})
}

// A letter that somebody has dragged into a Sent folder is not judged as an answer to itself; to the others it is a letter
// that was sent.
func TestLetterInSentIsNoAnswerToItself(t *testing.T) {
	t.Parallel()
	itself := rules.Sibling{Letter: question(), References: []string{"q1@romashka.ru"}, Sent: true, MailboxAddress: manager}
	thread := rules.NewThread([]rules.Sibling{itself, further()})
	alone := facts(further())
	if got, want := thread.Decide(alone), rules.Decide(alone); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	other := facts()
	other.Letter = further().Letter
	d := thread.Decide(other)
	if len(d.Trace) < 2 || !slices.ContainsFunc(d.Trace, func(s models.Step) bool { return s.Text.ID == "rules.reject.not_ours" }) {
		t.Errorf("the sent letter is passed over: %+v", d.Trace)
	}
}
