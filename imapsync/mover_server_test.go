package imapsync

import (
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/models"
)

// serverDesk is a journal in memory over a mailbox on a server.
type serverDesk struct {
	t  *testing.T
	st *memStore
	d  Dialer
	c  *Conn
}

func newServerDesk(t *testing.T, a Account) *serverDesk {
	t.Helper()
	w := &serverDesk{t: t, st: newMemStore(), d: NewDialer(a, nil, nil), c: dialTest(t, a)}
	for role, name := range map[models.FolderRole]string{models.FolderInbox: inbox, models.FolderControl: ctrl, models.FolderProcessed: other} {
		if name != inbox {
			if err := w.c.Create(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		w.st.saveFolder(&models.Folder{MailboxID: 1, Role: role, Name: name})
	}
	return w
}

// planAll takes in what is in INBOX and plans to move every letter, in turns to one folder and the other.
func (w *serverDesk) planAll() {
	w.t.Helper()
	ctx := w.t.Context()
	in := w.st.role(models.FolderInbox)
	sel := must[Selected](w.t)(w.c.Select(ctx, inbox, true))
	in.UIDValidity, in.LastUID = sel.UIDValidity, sel.UIDNext-1
	for _, name := range []models.FolderRole{models.FolderControl, models.FolderProcessed} {
		f := w.st.role(name)
		f.UIDValidity = must[Selected](w.t)(w.c.Status(ctx, f.Name)).UIDValidity
	}
	var uids []uint32
	for _, m := range must[[]Meta](w.t)(w.c.UIDs(ctx, 1, 0)) {
		uids = append(uids, m.UID)
	}
	must[Selected](w.t)(w.c.Select(ctx, inbox, true))
	for i, l := range must[FetchAnswer](w.t)(w.c.Fetch(ctx, uids, 0)).Letters {
		loc := w.st.addLocation(in, l.UID, l.Header, l.Size, l.Flags)
		role := []models.FolderRole{models.FolderControl, models.FolderProcessed}[i%2]
		w.st.plan(loc, w.st.role(role), time.Unix(0, 0))
	}
}

// run carries out the journal with a connection of its own.
func (w *serverDesk) run(cfg MoverConfig, now time.Time) error {
	s, err := w.d.Dial(w.t.Context())
	if err != nil {
		return err
	}
	defer s.Close()
	return NewMover(w.st, cfg, func() time.Time { return now }, nil).Run(w.t.Context(), s, 1)
}

// where returns the header hashes of the letters in a folder by UID, without those that are marked as deleted.
func (w *serverDesk) where(name string) map[uint32]string {
	w.t.Helper()
	ctx := w.t.Context()
	must[Selected](w.t)(w.c.Select(ctx, name, true))
	var uids []uint32
	for _, m := range must[[]Meta](w.t)(w.c.UIDs(ctx, 1, 0)) {
		if !hasFlag(m.Flags, `\Deleted`) {
			uids = append(uids, m.UID)
		}
	}
	found := make(map[uint32]string)
	if len(uids) == 0 {
		return found
	}
	for _, l := range must[FetchAnswer](w.t)(w.c.Fetch(ctx, uids, 0)).Letters {
		found[l.UID] = HeaderHash(l.Header)
	}
	return found
}

// check wants every letter once, where its filing says.
func (w *serverDesk) check() {
	w.t.Helper()
	left := w.where(inbox)
	there := map[int64]map[uint32]string{}
	count := map[string]int{}
	for _, role := range []models.FolderRole{models.FolderControl, models.FolderProcessed} {
		f := w.st.role(role)
		there[f.ID] = w.where(f.Name)
		for _, h := range there[f.ID] {
			count[h]++
		}
	}
	for _, h := range left {
		count[h]++
	}
	planned := map[string]int{}
	for _, f := range w.st.filings {
		planned[f.HeaderHash]++
	}
	for _, f := range w.st.filings {
		if f.State != models.FilingDone || there[f.TargetFolderID][f.DestUID] != f.HeaderHash || count[f.HeaderHash] != planned[f.HeaderHash] {
			w.t.Fatalf("filing of UID %d: %s (%s), dest %d, %d copies", f.SourceUID, f.State, f.LastError, f.DestUID, count[f.HeaderHash])
		}
	}
}

func TestDovecotMovesMany(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caps string
		cfg  MoverConfig
	}{
		"with MOVE":       {"", MoverConfig{}},
		"without MOVE":    {"IMAP4rev1 IDLE UIDPLUS LITERAL+", MoverConfig{}},
		"without COPYUID": {"IMAP4rev1 MOVE LITERAL+", MoverConfig{}},
		"with nothing":    {"IMAP4rev1", MoverConfig{LeaveDeleted: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dovecot.Test(t, dovecot.Options{Caps: c.caps})
			w := newServerDesk(t, dovecotAccount(d, "ivan"))
			n := 150
			if c.cfg.LeaveDeleted {
				n = 12
			}
			for i := range n {
				id := i
				if i%50 == 49 {
					id = i - 1 // a twin
				}
				must[CopyUID](t)(w.c.Append(t.Context(), inbox, nil, time.Time{}, letter(id)))
			}
			w.planAll()
			for i := range 3 {
				if err := w.run(c.cfg, time.Unix(1e9+int64(i)*1e5, 0)); err != nil {
					t.Fatal(err)
				}
			}
			w.check()
		})
	}
}

// TestMoveOfASetCutAtEveryOctet cuts the connection while a set is moved, after so many octets from the server, at every
// point of the conversation: whatever was lost, in the end each letter is once where it belongs.
func TestMoveOfASetCutAtEveryOctet(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]imaptest.Profile{"with MOVE": imaptest.Yandex(), "without MOVE": imaptest.NoMove()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for cut := int64(1); ; cut += 97 {
				if !moveWithCut(t, p, cut) {
					break
				}
			}
		})
	}
}

// moveWithCut moves twelve letters; it reports whether the connection was cut before all of them were moved.
func moveWithCut(t *testing.T, p imaptest.Profile, after int64) bool {
	t.Helper()
	s := imaptest.NewScript(t, p)
	defer s.Close()
	for i := range 12 {
		s.Deliver(inbox, letter(i))
	}
	w := newServerDesk(t, account(s.URL()))
	w.planAll()
	s.CutConnectionsAfter(after)
	err := w.run(MoverConfig{}, time.Unix(1e9, 0))
	s.CutConnectionsAfter(0)
	if err != nil && !models.IsTemporary(err) {
		t.Fatalf("cut after %d: %v", after, err)
	}
	for i := range 4 {
		if err := w.run(MoverConfig{}, time.Unix(1e9+int64(i+1)*1e5, 0)); err != nil {
			t.Fatalf("cut after %d, run %d: %v", after, i, err)
		}
	}
	w.check()
	return err != nil
}

// TestServerMovesPartOfASet has the server do half of what it was asked for, and say so in several ways.
func TestServerMovesPartOfASet(t *testing.T) {
	t.Parallel()
	half := func(end string) imaptest.Hook {
		return func(turn *imaptest.Turn) bool {
			turn.Printf("* OK [COPYUID 1 1,3 1:2] moved\r\n* NO something is wrong\r\n%s %s\r\n", turn.Tag, end)
			return true
		}
	}
	for name, hook := range map[string]imaptest.Hook{
		"a lie":               half("OK done"),
		"NO after COPYUID":    half("NO sorry"),
		"BAD":                 half("BAD what"),
		"NO without a reason": imaptest.Answer("TAG NO\r\n"),
		"quota":               imaptest.Answer("TAG NO [OVERQUOTA] full\r\n"),
		"try later":           imaptest.Answer("TAG NO [UNAVAILABLE] later\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := imaptest.NewScript(t, imaptest.Yandex())
			for i := range 9 {
				s.Deliver(inbox, letter(i))
			}
			w := newServerDesk(t, account(s.URL()))
			w.planAll()
			s.Once("UID MOVE", hook)
			for i := range 4 {
				if err := w.run(MoverConfig{}, time.Unix(1e9+int64(i+1)*1e5, 0)); err != nil {
					t.Fatal(err)
				}
			}
			w.check()
		})
	}
}
