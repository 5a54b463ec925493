package daemon

import (
	"slices"
	"strings"
	"testing"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

const (
	processed = "Обработанные письма"
	control   = "На контроле"
)

// scripted starts a scripted server and a daemon on it, and waits until the mailbox has been looked at.
func scripted(t *testing.T, p imaptest.Profile, more string) (*imaptest.Script, *desk) {
	t.Helper()
	s := imaptest.NewScript(t, p)
	d := start(t, place{url: sqliteIn(t), imap: s.URL(), passwords: map[string]string{anna: "secret"}, more: more})
	d.synced(anna)
	return s, d
}

// filing returns the only filing there is, or an empty one.
func (d *desk) filing(id string) models.Filing {
	d.t.Helper()
	q := d.app.DB().Read()
	letters, err := q.LettersByMessageIDs(d.t.Context(), []string{id})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(letters) == 0 {
		return models.Filing{}
	}
	list, err := q.FilingsOf(d.t.Context(), letters[0].ID)
	if err != nil {
		d.t.Fatal(err)
	}
	if len(list) > 1 {
		d.t.Fatalf("%d filings of %s", len(list), id)
	}
	if len(list) == 0 {
		return models.Filing{}
	}
	return list[0]
}

// folderOf returns the name under which a server has the folder, which may stand below INBOX.
func folderOf(s *imaptest.Script, name string) string {
	names, _ := s.Folders()
	if i := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, name) }); i >= 0 {
		return names[i]
	}
	return name
}

func TestRefusedCopyLeavesTheLetter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, phrase string }{
		"no room":         {"TAG NO [OVERQUOTA] Quota exceeded\r\n", "sync.over_quota"},
		"folder missing":  {"TAG NO [TRYCREATE] No such mailbox\r\n", "sync.refused"},
		"without a code":  {"TAG NO Operation failed\r\n", "sync.refused"},
		"never heard of":  {"TAG BAD Unknown command\r\n", "sync.refused"},
		"OK, not carried": {"TAG OK Done\r\n", "sync.no_effect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, d := scripted(t, imaptest.NoMove(), "")
			s.On("UID COPY", imaptest.Answer(c.answer))
			letter := raw(request)
			s.Deliver("INBOX", letter)
			s.Deliver("Sent", raw(request.reply("a@teplodom.example", anna, ivan)), `\Seen`)
			eventually(t, "the filing is put off", func() bool { return d.filing(request.id).NextAttemptAt != nil })
			if f := d.filing(request.id); f.State != models.FilingPlanned || f.Reason.ID != c.phrase {
				t.Errorf("filing is %s because %v", f.State, f.Reason)
			}
			// The daemon goes on meanwhile.
			s.Deliver("INBOX", raw(mail{id: "2@x.example", from: "x@x.example", to: anna, subject: "Ещё"}))
			eventually(t, "the next letter is known", func() bool { return d.live(anna, models.FolderInbox) == 2 })
			left := s.Letters("INBOX")
			if len(left) != 2 || string(left[0].Raw) != string(letter) || slices.Contains(left[0].Flags, `\Deleted`) {
				t.Errorf("INBOX holds %d letters, the first with flags %v", len(left), left[0].Flags)
			}
			if n := len(s.Letters(folderOf(s, processed))); n != 0 {
				t.Errorf("%d copies", n)
			}
			for _, cmd := range s.Commands() {
				if strings.HasPrefix(cmd, "EXPUNGE") || strings.HasPrefix(cmd, "CLOSE") || strings.HasPrefix(cmd, "UID STORE") {
					t.Errorf("the daemon has sent %s", cmd)
				}
			}
		})
	}
}

func TestServerThatCannotRemoveALetter(t *testing.T) {
	t.Parallel()
	s, d := scripted(t, imaptest.NoUIDPlus(), "")
	s.Deliver("INBOX", raw(request))
	s.Deliver("INBOX.Sent", raw(request.reply("a@teplodom.example", anna, ivan)), `\Seen`)
	eventually(t, "the filing has failed", func() bool { return d.filing(request.id).State == models.FilingFailed })
	if f := d.filing(request.id); f.Reason.ID != "sync.cannot_remove" {
		t.Errorf("it failed because %v", f.Reason)
	}
	if n, m := len(s.Letters("INBOX")), len(s.Letters(folderOf(s, processed))); n != 1 || m != 0 {
		t.Errorf("%d letters in INBOX, %d filed", n, m)
	}
	for _, cmd := range s.Commands() {
		if strings.HasPrefix(cmd, "UID COPY") || strings.HasPrefix(cmd, "UID STORE") || strings.HasPrefix(cmd, "EXPUNGE") {
			t.Errorf("the daemon has sent %s", cmd)
		}
	}
}

func TestServerThatCannotRemoveALetterMayMark(t *testing.T) {
	t.Parallel()
	s, d := scripted(t, imaptest.NoUIDPlus(), "[folders]\nwithout_uidplus = \"leave_deleted\"\n")
	s.Deliver("INBOX", raw(request))
	s.Deliver("INBOX.Sent", raw(request.reply("a@teplodom.example", anna, ivan)), `\Seen`)
	eventually(t, "the letter is filed", func() bool { return d.filing(request.id).State == models.FilingDone })
	if in := s.Letters("INBOX"); len(in) != 1 || !slices.Contains(in[0].Flags, `\Deleted`) {
		t.Errorf("INBOX: %+v", in)
	}
	if n := len(s.Letters(folderOf(s, processed))); n != 1 {
		t.Errorf("%d letters filed", n)
	}
	// When the folder is renumbered, the marked copy is taken in again and left.
	s.SetValidity("INBOX", 4711)
	s.Deliver("INBOX", raw(mail{id: "2@x.example", from: "x@x.example", to: anna, subject: "Ещё"}))
	eventually(t, "the renumbered folder is known", func() bool { return d.live(anna, models.FolderInbox) == 2 })
	d.filing(request.id)
	if n := len(s.Letters(folderOf(s, processed))); n != 1 {
		t.Errorf("%d letters filed after the folder was renumbered", n)
	}
}

func TestProvidersKeepFiling(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    imaptest.Profile
		sent string
	}{
		{imaptest.Yandex(), "Отправленные"}, {imaptest.MailRu(), "Отправленные"}, {imaptest.Exchange(), "Sent Items"},
		{imaptest.NoMove(), "Sent"}, {imaptest.Plain(), "Sent"},
	} {
		t.Run(c.p.Name, func(t *testing.T) {
			t.Parallel()
			s, d := scripted(t, c.p, "")
			other := mail{id: "2@romashka.example", from: ivan, to: anna, subject: "Счёт", flags: nil}
			s.Deliver("INBOX", raw(request))
			s.Deliver("INBOX", raw(other), `\Flagged`)
			s.Deliver(c.sent, raw(request.reply("a@teplodom.example", anna, ivan)), `\Seen`)
			s.Deliver(c.sent, raw(other.reply("b@teplodom.example", anna, ivan)), `\Seen`)
			eventually(t, "both letters are filed", func() bool {
				return d.live(anna, models.FolderProcessed) == 1 && d.live(anna, models.FolderControl) == 1
			})
			if n, m, k := len(s.Letters("INBOX")), len(s.Letters(folderOf(s, processed))), len(s.Letters(folderOf(s, control))); n != 0 || m != 1 || k != 1 {
				t.Errorf("INBOX %d, processed %d, control %d", n, m, k)
			}
			// A person takes one back, and it stays.
			back := s.Letters(folderOf(s, processed))[0]
			s.Vanish(folderOf(s, processed), back.UID)
			s.Deliver("INBOX", back.Raw)
			eventually(t, "the person's move is known", func() bool {
				return d.live(anna, models.FolderProcessed) == 0 && d.live(anna, models.FolderInbox) == 1
			})
			s.Deliver(c.sent, raw(request.reply("c@teplodom.example", anna, ivan)), `\Seen`)
			eventually(t, "the next answer is known", func() bool { return d.live(anna, models.FolderSent) == 3 })
			if f := d.filing(request.id); f.State != models.FilingDone {
				t.Errorf("filing %s", f.State)
			}
			if n := len(s.Letters("INBOX")); n != 1 {
				t.Errorf("%d letters in INBOX", n)
			}
		})
	}
}
