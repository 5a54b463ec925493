package rules_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kontrol/locale"
	"kontrol/models"
	"kontrol/rules"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// stories are decisions whose whole explanation is kept, as a person reads it.
func stories() []struct {
	name  string
	facts rules.Facts
} {
	change := func(f rules.Facts, how func(*rules.Facts)) rules.Facts { how(&f); return f }
	romashka := &models.Client{Name: "Ромашка"}
	offer := rules.Deal{Number: 12, Title: "Насосы", StageName: "КП отправлено", StageKind: models.StageOpen, Outstanding: true,
		Why: models.Say("deals.outstanding.action", "Action", "позвонить Ивану", "At", now.Add(46*time.Hour))}
	pipes := rules.Deal{Number: 13, Title: "Трубы", StageName: "Новая", StageKind: models.StageOpen,
		Why: models.Say("deals.outstanding.nothing", "Stage", "Новая")}
	bare := rules.Deal{Number: 14, StageName: "Счёт выставлен", StageKind: models.StageOpen, Outstanding: true}
	later := with(answer(), func(s *rules.Sibling) {
		s.References, s.MailboxAddress, s.Letter.To = []string{"q2@romashka.ru"}, "sales@our.ru", models.Strings{colleague}
	})
	rejected := []rules.Sibling{
		with(answer(), func(s *rules.Sibling) { s.Letter.ID, s.Draft = 21, true }),
		with(answer(), func(s *rules.Sibling) { s.Letter.ID, s.Letter.Class = 22, models.ClassAutoReply }),
		with(answer(), func(s *rules.Sibling) {
			s.Letter.ID, s.Letter.Direction, s.Letter.To = 23, models.Internal, models.Strings{"boss@our.ru"}
		}),
		with(answer(), func(s *rules.Sibling) { s.Letter.ID, s.Letter.To = 24, models.Strings{stranger} }),
		with(answer(), func(s *rules.Sibling) { s.Letter.ID, s.References = 25, nil }),
		with(answer(), func(s *rules.Sibling) { s.Letter.ID, s.References, s.Letter.BaseSubject = 26, nil, "трубы" }),
		with(answer(), func(s *rules.Sibling) {
			s.Letter.ID, s.References, s.Letter.ArrivedAt = 20, nil, ago(5*time.Hour)
		}),
	}
	return []struct {
		name  string
		facts rules.Facts
	}{
		{"отвечено, сделка ждёт", change(facts(answer()), func(f *rules.Facts) { f.Client, f.Deals = romashka, []rules.Deal{pipes, offer, bare} })},
		{"отвечено, ничего не ждём", change(facts(answer()), func(f *rules.Facts) { f.Client = romashka })},
		{"отвечено на более новое письмо, коллеге", change(facts(further(), later), func(f *rules.Facts) { f.StarredInThread = true })},
		{"не отвечено, хотя писем много", facts(rejected...)},
		{"не отвечено, Message-ID нет", change(facts(), func(f *rules.Facts) { f.Letter.MessageID = "" })},
		{"автоответ", change(facts(), func(f *rules.Facts) { f.Letter.Class = models.ClassAutoReply })},
		{"положил человек", change(facts(), func(f *rules.Facts) { f.Copy.HandsOff = true })},
		{"в другой папке", change(facts(), func(f *rules.Facts) { f.Copy.FolderRole = models.FolderControl })},
		{"старое", change(facts(), func(f *rules.Facts) { f.Copy.FirstLook, f.Letter.ArrivedAt = true, ago(60*24*time.Hour) })},
		{"недавнее при первом разборе", change(facts(), func(f *rules.Facts) { f.Copy.FirstLook = true })},
	}
}

func TestExplanationsReadWell(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"ru", "en"} {
		texts, err := locale.New(lang, time.FixedZone("MSK", 3*3600))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, s := range stories() {
			d := rules.Decide(s.facts)
			fresh := explain(texts, d)
			if stored := explain(texts, throughJSON(t, d)); stored != fresh {
				t.Errorf("%s: the stored explanation differs:\n%s\n%s", s.name, fresh, stored)
			}
			if strings.Contains(fresh, "<no value>") || strings.Contains(fresh, "rules.") {
				t.Errorf("%s: a text is broken:\n%s", s.name, fresh)
			}
			fmt.Fprintf(&out, "# %s\n%s\n", s.name, fresh)
		}
		for _, r := range rules.Procedure() {
			fmt.Fprintf(&out, "%s: %s\n", r.Key, texts.Say(r.Text))
		}
		golden(t, filepath.Join("testdata", "explanations."+lang+".txt"), out.String())
	}
}

func explain(texts *locale.Texts, d models.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s)\n", d.Action, d.Target, d.Rule)
	for _, s := range d.Trace {
		mark := " "
		if s.Holds {
			mark = "*"
		}
		fmt.Fprintf(&b, " %s %s\n", mark, texts.Say(s.Text))
	}
	return b.String()
}

func throughJSON(t *testing.T, d models.Decision) models.Decision {
	t.Helper()
	v, err := d.Trace.Value()
	if err != nil {
		t.Fatal(err)
	}
	d.Trace = nil
	if err := json.Unmarshal([]byte(v.(string)), &d.Trace); err != nil {
		t.Fatal(err)
	}
	return d
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; run with -update and read the difference. Got:\n%s", name, got)
	}
}
