package imapsync

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

func TestResolveFolders(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		profile imaptest.Profile
		names   Names
		want    string // sent, processed, control
		made    []string
	}{
		{"special use", imaptest.Plain(), Names{}, "Sent, Обработанные письма, На контроле", []string{"Обработанные письма", "На контроле"}},
		{"by Russian name", imaptest.Profile{Caps: "IMAP4rev1", Delimiter: "/", Folders: []string{"Исходящие", "обработанные ПИСЬМА", "На контроле"}}, Names{},
			"Исходящие, обработанные ПИСЬМА, На контроле", nil},
		{"nothing there", imaptest.Profile{Caps: "IMAP4rev1", Delimiter: "/"}, Names{}, "Sent, Обработанные письма, На контроле",
			[]string{"Sent", "Обработанные письма", "На контроле"}},
		{"everything below INBOX", imaptest.Profile{Caps: "IMAP4rev1", Delimiter: ".", Folders: []string{"INBOX.Trash", "INBOX.Sent Items"}}, Names{Control: "Отдел/Контроль"},
			"INBOX.Sent Items, INBOX.Обработанные письма, INBOX.Отдел.Контроль", []string{"INBOX.Обработанные письма", "INBOX.Отдел", "INBOX.Отдел.Контроль"}},
		{"configured", imaptest.Profile{Caps: "IMAP4rev1", Delimiter: "|", Folders: []string{"Sent", "Архив", "Архив|Ушло"}}, Names{Sent: "Архив/Ушло"},
			"Архив|Ушло, Обработанные письма, На контроле", []string{"Обработанные письма", "На контроле"}},
		{"special use before name", imaptest.Profile{Caps: "IMAP4rev1 SPECIAL-USE", Delimiter: "/", Folders: []string{"Отправленные", "Gesendet"}, Attrs: [][2]string{{"Gesendet", `\Sent`}}},
			Names{}, "Gesendet, Обработанные письма, На контроле", []string{"Обработанные письма", "На контроле"}},
		{"flat", imaptest.Profile{Caps: "IMAP4rev1"}, Names{}, "Sent, Обработанные письма, На контроле", []string{"Sent", "Обработанные письма", "На контроле"}},
		{"written with the prefix", imaptest.Profile{Caps: "IMAP4rev1", Delimiter: ".", Folders: []string{"INBOX.Sent", "INBOX.Готово"}}, Names{Processed: "INBOX.Готово"},
			"INBOX.Sent, INBOX.Готово, INBOX.На контроле", []string{"INBOX.На контроле"}},
		{"decomposed", imaptest.Profile{Caps: "IMAP4rev1", Delimiter: "/", Folders: []string{"Sent", norm.NFD.String("Архивный й"), "На контроле"}}, Names{Processed: "Архивный й"},
			"Sent, " + norm.NFD.String("Архивный й") + ", На контроле", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, c := script(t, tc.profile)
			before, _ := s.Folders()
			found, notes, err := ResolveFolders(t.Context(), c, tc.names)
			if err != nil {
				t.Fatal(err)
			}
			got := found[models.FolderSent].Name + ", " + found[models.FolderProcessed].Name + ", " + found[models.FolderControl].Name
			if got != tc.want || found[models.FolderInbox].Name != "INBOX" {
				t.Errorf("got %s, want %s (%v)", got, tc.want, notes)
			}
			after, subscribed := s.Folders()
			made := slices.DeleteFunc(after, func(f string) bool { return slices.Contains(before, f) })
			slices.Sort(tc.made)
			if !slices.Equal(made, tc.made) || !slices.Equal(subscribed, tc.made) {
				t.Errorf("made %q, subscribed %q, want %q", made, subscribed, tc.made)
			}
			again, notes, err := ResolveFolders(t.Context(), c, tc.names)
			if err != nil || again[models.FolderSent] != found[models.FolderSent] || again[models.FolderControl] != found[models.FolderControl] {
				t.Errorf("second time: %v %v %v", again, notes, err)
			}
		})
	}
}

func TestResolveFoldersRefuses(t *testing.T) {
	t.Parallel()
	_, c := script(t, imaptest.Plain())
	for name, want := range map[string]string{"a.b": "imap.folder_name", "Продажи/": "imap.folder_name", `x"y`: "imap.folder_name", "Sent": "imap.folder_twice", "inbox": "imap.folder_twice"} {
		_, _, err := ResolveFolders(t.Context(), c, Names{Processed: name})
		if got := phraseOf(t, err); got != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, flat := script(t, imaptest.Profile{Caps: "IMAP4rev1"})
	_, _, err := ResolveFolders(t.Context(), flat, Names{Processed: "a/b"})
	if phraseOf(t, err) != "imap.folder_flat" {
		t.Errorf("levels on a flat server: %v", err)
	}
}

// TestAliases: a server that shows one folder under two names.
func TestAliases(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Profile{Caps: "IMAP4rev1", Delimiter: ".", Folders: []string{"Sent", "Готово", "INBOX.Готово"}})
	s.Deliver("Готово", letter(1))
	s.Deliver("INBOX.Готово", letter(1))
	s.SetValidity("Готово", 5)
	s.SetValidity("INBOX.Готово", 5)
	_, _, err := ResolveFolders(t.Context(), c, Names{Processed: "Готово", Control: "INBOX.Готово"})
	if phraseOf(t, err) != "imap.folder_twice" {
		t.Errorf("%v", err)
	}
}

func TestCheckFolderName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"Обработанные письма", "На контроле", "Команды/КП/Стандарт", "3 дня", "Ёлки", "Счета (2026)", "a-b_c"} {
		if err := CheckFolderName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, b := range []string{"", "/", "a/", "/a", "a//b", " a", "a ", "a.b", "a|b", "50%", "*", `"`, `\`, "R&D", "#1", "~x", "a\nb", "\xff", strings.Repeat("я", 61)} {
		if err := CheckFolderName(b); err == nil {
			t.Errorf("%q is accepted", b)
		}
	}
}

// TestCreateOnOddServers: what exists is fine, whatever the server says about it.
func TestCreateOnOddServers(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Profile{Caps: "IMAP4rev1", Delimiter: "/", Codeless: true})
	must[[]Listed](t)(c.List(t.Context()))
	s.Deliver("Готово", letter(1)) // made by somebody else after our LIST
	if err := c.Create(t.Context(), "Готово"); err != nil {
		t.Errorf("exists, codeless NO: %v", err)
	}
	s.On("CREATE", imaptest.Answer("TAG NO no\r\n"))
	if err := c.Create(t.Context(), "Другая"); err == nil {
		t.Error("a refused folder was believed to be made")
	}
	s.On("CREATE", imaptest.Answer("TAG OK done\r\n"))
	s.On("SUBSCRIBE", imaptest.Answer("TAG NO not here\r\n"))
	if err := c.Create(t.Context(), "Третья"); err != nil {
		t.Errorf("subscription refused: %v", err)
	}
}
