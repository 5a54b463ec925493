package rules_test

import (
	"testing"
	"time"

	"kontrol/models"
	"kontrol/rules"
)

const (
	client    = "ivan@romashka.ru"
	colleague = "petr@romashka.ru"
	stranger  = "carrier@dostavka.ru"
	manager   = "anna@our.ru"
)

// now is a Monday afternoon in Moscow.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// question is the client's letter that lies in the inbox, two hours old.
func question() models.Letter {
	return models.Letter{
		ID: 1, MessageID: "q1@romashka.ru", ThreadID: 7, Direction: models.Inbound, Class: models.ClassPerson,
		FromAddress: client, FromName: "Иван Петров", To: models.Strings{manager},
		Subject: "Насосы", BaseSubject: "насосы", ArrivedAt: ago(2 * time.Hour),
	}
}

// answer is a plain answer to question: sent by Anna an hour ago.
func answer() rules.Sibling {
	return rules.Sibling{
		Letter: models.Letter{
			ID: 2, MessageID: "a1@our.ru", ThreadID: 7, Direction: models.Outbound, Class: models.ClassPerson,
			FromAddress: manager, To: models.Strings{client}, Subject: "Re: Насосы", BaseSubject: "насосы", ArrivedAt: ago(time.Hour),
		},
		References: []string{"q1@romashka.ru"}, Sent: true, MailboxAddress: manager,
	}
}

// further is a second letter of the client, half an hour after question.
func further() rules.Sibling {
	return rules.Sibling{
		Letter: models.Letter{
			ID: 3, MessageID: "q2@romashka.ru", ThreadID: 7, Direction: models.Inbound, Class: models.ClassPerson,
			FromAddress: client, To: models.Strings{manager}, Subject: "Re: Насосы", BaseSubject: "насосы", ArrivedAt: ago(90 * time.Minute),
		},
		References: []string{"q1@romashka.ru"},
	}
}

func facts(siblings ...rules.Sibling) rules.Facts {
	return rules.Facts{
		Letter: question(), Copy: rules.Copy{FolderRole: models.FolderInbox}, Thread: siblings,
		SameParty: func(a, b string) bool { return models.DomainOf(a) == models.DomainOf(b) },
		Own:       func(a string) bool { return models.DomainOf(a) == "our.ru" },
		Now:       now,
	}
}

func with(s rules.Sibling, change func(*rules.Sibling)) rules.Sibling { change(&s); return s }

func TestWhoMayBeFiled(t *testing.T) {
	t.Parallel()
	letter := func(change func(*models.Letter)) func(*rules.Facts) {
		return func(f *rules.Facts) { change(&f.Letter) }
	}
	class := func(c models.Class) func(*rules.Facts) { return letter(func(l *models.Letter) { l.Class = c }) }
	for name, tc := range map[string]struct {
		change func(*rules.Facts)
		rule   string
	}{
		"in processed":          {func(f *rules.Facts) { f.Copy.FolderRole = models.FolderProcessed }, "elsewhere"},
		"in control":            {func(f *rules.Facts) { f.Copy.FolderRole = models.FolderControl }, "elsewhere"},
		"in sent":               {func(f *rules.Facts) { f.Copy.FolderRole = models.FolderSent }, "elsewhere"},
		"in a folder of no use": {func(f *rules.Facts) { f.Copy.FolderRole = "" }, "elsewhere"},
		"deleted by the client": {func(f *rules.Facts) { f.Copy.Deleted = true }, "deleted"},
		"being moved":           {func(f *rules.Facts) { f.Copy.OpenFiling = true }, "moving"},
		"put back by a person":  {func(f *rules.Facts) { f.Copy.HandsOff = true }, "hands_off"},
		"bounce":                {class(models.ClassBounce), "bounce"},
		"auto-reply":            {class(models.ClassAutoReply), "auto_reply"},
		"mailing":               {class(models.ClassList), "list"},
		"receipt":               {class(models.ClassReceipt), "receipt"},
		"delayed":               {class(models.ClassDelayed), "receipt"},
		"delivered":             {class(models.ClassDelivered), "receipt"},
		"complaint":             {class(models.ClassFeedback), "feedback"},
		"challenge":             {class(models.ClassChallenge), "challenge"},
		"newsletter":            {class(models.ClassNewsletter), "list"},
		"note to oneself":       {class(models.ClassOwn), "internal"},
		"colleagues by class":   {class(models.ClassInternal), "internal"},
		"colleagues by way":     {letter(func(l *models.Letter) { l.Direction = models.Internal }), "internal"},
		"ours":                  {letter(func(l *models.Letter) { l.Direction = models.Outbound }), "ours"},
		"no direction":          {letter(func(l *models.Letter) { l.Direction = "" }), "ours"},
		"no class":              {class(""), "not_person"},
		"a class of tomorrow":   {class("robot"), "not_person"},
		"old at first look": {func(f *rules.Facts) {
			f.Copy.FirstLook, f.Letter.ArrivedAt = true, ago(31*24*time.Hour)
		}, "old"},
		"a week old, window of three days": {func(f *rules.Facts) {
			f.Copy.FirstLook, f.Letter.ArrivedAt, f.Settings.FirstLookWindow = true, ago(7*24*time.Hour), 72*time.Hour
		}, "old"},
		"negative window": {func(f *rules.Facts) { f.Copy.FirstLook, f.Settings.FirstLookWindow = true, -1 }, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(answer())
			f.Copy.Flagged = true
			tc.change(&f)
			d := rules.Decide(f)
			if d.Action != models.ActionStay || d.Target != "" || d.Rule != tc.rule || d.AnswerID != nil {
				t.Errorf("got %s %q by %q, want to stay by %q", d.Action, d.Target, d.Rule, tc.rule)
			}
			if last := d.Trace[len(d.Trace)-1]; !last.Holds {
				t.Errorf("the reason %v does not hold", last.Text)
			}
		})
	}
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		siblings []rules.Sibling
		change   func(*rules.Facts)
		answer   int64 // 0: unanswered
	}{
		"plain answer":    {siblings: []rules.Sibling{answer()}, answer: 2},
		"nothing in Sent": {siblings: []rules.Sibling{further()}},
		"no thread":       {},
		"not in Sent":     {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Sent = false })}},
		"draft":           {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Draft = true })}},
		"draft and sent copy": {siblings: []rules.Sibling{
			with(answer(), func(s *rules.Sibling) { s.Draft = true }), answer(),
		}, answer: 2},
		"auto-reply": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Letter.Class = models.ClassAutoReply })}},
		"from a shared mailbox": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) {
			s.Letter.FromAddress, s.MailboxAddress = "sales@our.ru", "sales@our.ru"
		})}, answer: 2},
		"forward to a colleague": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) {
			s.Letter.To, s.Letter.Direction, s.Letter.Class = models.Strings{"boss@our.ru"}, models.Internal, models.ClassInternal
		})}},
		"forward to a third party": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Letter.To = models.Strings{stranger} })}},
		"third party, client in copy": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) {
			s.Letter.To, s.Letter.Cc = models.Strings{stranger}, models.Strings{client}
		})}, answer: 2},
		"to another person of the company": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Letter.To = models.Strings{colleague} })}, answer: 2},
		"to another address of the client": {
			siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Letter.To = models.Strings{"ivan.petrov@mail.ru"} })},
			change: func(f *rules.Facts) {
				f.Client, f.ClientAddresses = &models.Client{Name: "Ромашка"}, []string{"Ivan.Petrov@mail.ru"}
			}, answer: 2},
		"to the Reply-To": {
			siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Letter.To = models.Strings{"zakaz@mail.ru"} })},
			change:   func(f *rules.Facts) { f.Letter.ReplyTo = models.Strings{"zakaz@mail.ru"} }, answer: 2},
		"a colleague in the Reply-To": {
			siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Letter.To = models.Strings{"boss@our.ru"} })},
			change:   func(f *rules.Facts) { f.Letter.ReplyTo = models.Strings{"boss@our.ru"} }},
		"clocks apart, but named": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.Letter.ArrivedAt = ago(3 * time.Hour) })}, answer: 2},
		"Message-ID in brackets":  {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.References = []string{" <q1@romashka.ru> "} })}, answer: 2},
		"answer to the newer letter": {siblings: []rules.Sibling{further(),
			with(answer(), func(s *rules.Sibling) { s.References = []string{"q2@romashka.ru"} })}, answer: 2},
		"answer to the newer letter, no Message-ID here": {
			siblings: []rules.Sibling{further(), with(answer(), func(s *rules.Sibling) { s.References = []string{"q2@romashka.ru"} })},
			change:   func(f *rules.Facts) { f.Letter.MessageID = "" }, answer: 2},
		"answer to a newer letter that came before this one came here": {
			siblings: []rules.Sibling{further(), with(answer(), func(s *rules.Sibling) {
				s.References, s.Letter.ArrivedAt = []string{"q2@romashka.ru"}, ago(150*time.Minute)
			})}},
		"answer to an older letter only": {siblings: []rules.Sibling{
			with(further(), func(s *rules.Sibling) { s.Letter.ArrivedAt = ago(5 * time.Hour) }),
			with(answer(), func(s *rules.Sibling) { s.References = []string{"q2@romashka.ru"} })}},
		"answer to the newer letter, but to a third party": {siblings: []rules.Sibling{further(),
			with(answer(), func(s *rules.Sibling) {
				s.References, s.Letter.To = []string{"q2@romashka.ru"}, models.Strings{stranger}
			})}},
		"looks like an answer, names nothing": {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.References = nil })}},
		"names our own older letter only":     {siblings: []rules.Sibling{with(answer(), func(s *rules.Sibling) { s.References = []string{"offer@our.ru"} })}},
		"two answers, the one that names it counts": {siblings: []rules.Sibling{further(),
			with(answer(), func(s *rules.Sibling) {
				s.Letter.ID, s.Letter.ArrivedAt, s.References = 8, ago(80*time.Minute), []string{"q2@romashka.ru"}
			}), answer()}, answer: 2},
		"two answers, the older counts": {siblings: []rules.Sibling{answer(),
			with(answer(), func(s *rules.Sibling) { s.Letter.ID, s.Letter.ArrivedAt = 9, ago(time.Minute) })}, answer: 2},
		"the letter itself in Sent": {siblings: []rules.Sibling{{Letter: question(), References: []string{"q1@romashka.ru"}, Sent: true}}},
		"at first look, recent":     {siblings: []rules.Sibling{answer()}, change: func(f *rules.Facts) { f.Copy.FirstLook = true }, answer: 2},
		"no helpers given": {siblings: []rules.Sibling{answer()}, change: func(f *rules.Facts) {
			f.SameParty, f.Own = nil, nil
		}, answer: 2},
		"no sender": {siblings: []rules.Sibling{answer()}, change: func(f *rules.Facts) { f.Letter.FromAddress = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(tc.siblings...)
			if tc.change != nil {
				tc.change(&f)
			}
			d := rules.Decide(f)
			if tc.answer == 0 {
				if d.Action != models.ActionStay || d.Rule != "unanswered" || d.AnswerID != nil || d.Target != "" {
					t.Fatalf("got %s %q by %q", d.Action, d.Target, d.Rule)
				}
				return
			}
			if d.Action != models.ActionFile || d.Rule != "answered" || d.Target != models.FolderProcessed {
				t.Fatalf("got %s %q by %q", d.Action, d.Target, d.Rule)
			}
			if d.AnswerID == nil || *d.AnswerID != tc.answer {
				t.Errorf("answer: got %v, want %d", d.AnswerID, tc.answer)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	waiting := rules.Deal{Number: 12, Title: "Насосы", StageName: "КП отправлено", StageKind: models.StageOpen, Outstanding: true}
	quiet := rules.Deal{Number: 13, Title: "Трубы", StageName: "Новая", StageKind: models.StageOpen}
	linked := func(d rules.Deal) rules.Deal { d.Linked = true; return d }
	won := waiting
	won.StageKind = models.StageWon
	for name, tc := range map[string]struct {
		change func(*rules.Facts)
		want   models.FolderRole
	}{
		"nothing waits":                    {func(*rules.Facts) {}, models.FolderProcessed},
		"starred":                          {func(f *rules.Facts) { f.Copy.Flagged = true }, models.FolderControl},
		"star elsewhere in the thread":     {func(f *rules.Facts) { f.StarredInThread = true }, models.FolderControl},
		"one deal waits":                   {func(f *rules.Facts) { f.Deals = []rules.Deal{quiet, waiting} }, models.FolderControl},
		"no deal waits":                    {func(f *rules.Facts) { f.Deals = []rules.Deal{quiet} }, models.FolderProcessed},
		"its own deal waits":               {func(f *rules.Facts) { f.Deals = []rules.Deal{quiet, linked(waiting)} }, models.FolderControl},
		"another deal waits, its own not":  {func(f *rules.Facts) { f.Deals = []rules.Deal{linked(quiet), waiting} }, models.FolderProcessed},
		"won deals wait for nothing":       {func(f *rules.Facts) { f.Deals = []rules.Deal{won} }, models.FolderProcessed},
		"client without deals":             {func(f *rules.Facts) { f.Client = &models.Client{Name: "Ромашка"} }, models.FolderProcessed},
		"star and a quiet deal of its own": {func(f *rules.Facts) { f.Deals, f.Copy.Flagged = []rules.Deal{linked(quiet)}, true }, models.FolderControl},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(answer())
			tc.change(&f)
			if d := rules.Decide(f); d.Action != models.ActionFile || d.Target != tc.want {
				t.Errorf("got %s %q, want %q", d.Action, d.Target, tc.want)
			}
		})
	}
}

func TestProcedureIsListed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rules.Procedure() {
		if r.Key == "" || seen[r.Key] || r.Text.ID != "rules.rule."+r.Key {
			t.Errorf("rule %+v", r)
		}
		seen[r.Key] = true
	}
	if !seen["answered"] || !seen["unanswered"] {
		t.Errorf("rules: %v", seen)
	}
}

func BenchmarkDecide(b *testing.B) {
	f := facts()
	for i := range 25 {
		at := ago(time.Duration(50-i) * time.Minute)
		f.Thread = append(f.Thread,
			with(further(), func(s *rules.Sibling) { s.Letter.ID, s.Letter.ArrivedAt = int64(100+i), at }),
			with(answer(), func(s *rules.Sibling) {
				s.Letter.ID, s.Letter.ArrivedAt, s.References = int64(200+i), at, []string{"x@y", "z@y"}
			}))
	}
	b.ReportAllocs()
	for b.Loop() {
		if rules.Decide(f).Rule != "unanswered" {
			b.Fatal("answered")
		}
	}
}
