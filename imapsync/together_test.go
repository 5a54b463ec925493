package imapsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// plainStatus is a server that has no LIST-STATUS.
func plainStatus(t *testing.T, disabled ...string) (*imaptest.Script, *Conn, []string) {
	t.Helper()
	p := imaptest.Plain()
	p.Folders = []string{"Sent", "Обработанные письма", "На контроле", "Планы & сметы"}
	s := imaptest.NewScript(t, p)
	a := quick(account(s.URL()))
	a.DisableExtensions = append(disabled, "LIST-STATUS")
	c := dialTest(t, a)
	must[Selected](t)(c.Select(t.Context(), "INBOX", true))
	for range 3 {
		s.Deliver("На контроле", letter(1))
	}
	return s, c, p.Folders
}

// statusLines counts the STATUS commands that a server has been sent.
func statusLines(s *imaptest.Script) (n int) {
	for _, c := range s.Commands() {
		if strings.HasPrefix(c, "STATUS ") {
			n++
		}
	}
	return n
}

// hasAll checks what was found out of the folders.
func hasAll(t *testing.T, got map[string]Selected, folders []string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(slices.Values(folders))) {
		t.Errorf("found %v", got)
	}
	if at := got["На контроле"]; at.UIDNext != 4 || at.Messages != 3 || at.UIDValidity == 0 {
		t.Errorf("folder with three letters: %+v", at)
	}
}

// TestManyStatusesInOneRoundTrip lets the server answer nothing before it has got all the questions.
func TestManyStatusesInOneRoundTrip(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"in their order", "last first", "announced one first"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			s, c, folders := plainStatus(t)
			var turns []*imaptest.Turn
			s.On("STATUS", func(turn *imaptest.Turn) bool {
				turns = append(turns, turn)
				if len(turns) < len(folders)+1 {
					return true
				}
				switch order {
				case "last first":
					slices.Reverse(turns)
				case "announced one first":
					turns = append(turns[len(turns)-1:], turns[:len(turns)-1]...)
				}
				for _, q := range turns {
					if q.Args[1] == "gone" {
						q.Printf("%s NO [NONEXISTENT] no such folder\r\n", q.Tag)
						continue
					}
					next := 1
					if q.Args[1] == imaptest.EncodeName("На контроле") {
						next = 4
					}
					q.Printf("* STATUS %s (MESSAGES %d UIDNEXT %d UIDVALIDITY 7)\r\n", wireName(decoded(q.Args[1])), next-1, next)
					q.Printf("%s OK done\r\n", q.Tag)
				}
				return true
			})
			got, err := c.Statuses(t.Context(), slices.Insert(slices.Clone(folders), 1, "gone"))
			if err != nil || c.Dead() {
				t.Fatalf("statuses: %v, dead %v", err, c.Dead())
			}
			hasAll(t, got, folders)
			if n := statusLines(s); n != len(folders)+1 {
				t.Errorf("%d commands: %q", n, s.Commands())
			}
			if err := c.noop(t.Context()); err != nil { // the conversation is still in step
				t.Error(err)
			}
		})
	}
}

func decoded(wire string) string {
	name, err := decodeName(wire)
	if err != nil {
		return wire
	}
	return name
}

// TestManyStatusesForAServerThatCannot meets servers that refuse, lose or choke on commands that come together.
func TestManyStatusesForAServerThatCannot(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(turn *imaptest.Turn, n int) bool{
		"BAD": func(turn *imaptest.Turn, n int) bool {
			if n > 1 {
				turn.Printf("%s BAD one command at a time\r\n", turn.Tag)
			}
			return n > 1
		},
		"the connection ends": func(turn *imaptest.Turn, n int) bool {
			if n > 1 {
				turn.Close()
			}
			return n > 1
		},
		"what comes behind the first is lost": func(_ *imaptest.Turn, n int) bool { return n > 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c, folders := plainStatus(t)
			together := 0
			s.On("STATUS", func(turn *imaptest.Turn) bool {
				if strings.HasPrefix(turn.Tag, "S") {
					together++
					return answer(turn, together)
				}
				return false
			})
			d := c.link.dialer
			got, err := c.Statuses(t.Context(), folders)
			if c.Dead() {
				if !models.IsTemporary(err) {
					t.Errorf("lost connection: %v", err)
				}
				again := must[Session](t)(d.Dial(t.Context()))
				defer again.Close()
				c = again.(*Conn)
				got, err = c.Statuses(t.Context(), folders)
			}
			if err != nil {
				t.Fatal(err)
			}
			hasAll(t, got, folders)
			before := together
			if got, err = c.Statuses(t.Context(), folders); err != nil || together != before {
				t.Errorf("asked together again: %v", err)
			}
			hasAll(t, got, folders)
			_ = s
		})
	}
}

func TestManyStatusesCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	s, c, folders := plainStatus(t, "pipelining")
	s.On("STATUS", func(turn *imaptest.Turn) bool {
		if strings.HasPrefix(turn.Tag, "S") {
			t.Errorf("sent in front of another command: %s", turn.Line)
		}
		return false
	})
	got := must[map[string]Selected](t)(c.Statuses(t.Context(), folders))
	hasAll(t, got, folders)
}

// TestEndedWhileManyStatusesAreAsked does not take the end of the program for a fault of the server.
func TestEndedWhileManyStatusesAreAsked(t *testing.T) {
	t.Parallel()
	s, c, folders := plainStatus(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.On("STATUS", func(*imaptest.Turn) bool { cancel(); return true })
	if _, err := c.Statuses(ctx, folders); err == nil || c.pipelines() != true {
		t.Errorf("ended: %v, pipelines %v", err, c.pipelines())
	}
}

// TestManyFoldersAreAskedInParts does not fill the buffers of a server with questions.
func TestManyFoldersAreAskedInParts(t *testing.T) {
	t.Parallel()
	s, c, _ := plainStatus(t)
	var names []string
	for i := range 2*mostTogether + 1 {
		names = append(names, fmt.Sprintf("Папка %d", i))
		s.Deliver(names[i], letter(1))
	}
	got := must[map[string]Selected](t)(c.Statuses(t.Context(), names))
	if len(got) != len(names) {
		t.Errorf("%d of %d folders", len(got), len(names))
	}
}
