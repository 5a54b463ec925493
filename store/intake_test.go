package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

// must fails the test at once when err is not nil.
func must(t interface {
	Helper()
	Fatal(...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inTx runs f in a transaction that must be committed.
func inTx(t *testing.T, db *store.DB, f func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	must(t, db.Tx(t.Context(), func(tx *store.Tx) error { return f(tx.Context(), tx) }))
}

var day = time.Date(2026, 11, 23, 9, 30, 0, 123456000, time.UTC)

// office is a mailbox with its four folders.
type office struct {
	mailbox models.Mailbox
	folders map[models.FolderRole]models.Folder
}

func newOffice(t *testing.T, db *store.DB, address string) office {
	t.Helper()
	o := office{folders: map[models.FolderRole]models.Folder{}}
	boxes := []models.Mailbox{{Address: address, Kind: models.MailboxShared}}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.SyncMailboxes(ctx, boxes) })
	o.mailbox = boxes[0]
	for _, role := range []models.FolderRole{models.FolderInbox, models.FolderSent, models.FolderProcessed, models.FolderControl} {
		f := models.Folder{MailboxID: o.mailbox.ID, Role: role, Name: string(role), UIDValidity: 7}
		must(t, db.SaveFolder(t.Context(), &f))
		o.folders[role] = f
	}
	return o
}

// newLetter stores a letter with a thread of its own.
func newLetter(t *testing.T, db *store.DB, name string, change func(l *models.Letter), refs ...string) models.Letter {
	t.Helper()
	l := models.Letter{
		Fingerprint: fmt.Sprintf("fp-%s", name), MessageID: name + "@example.org", Direction: models.Inbound, Class: models.ClassPerson,
		FromAddress: name + "@client.example", To: models.Strings{"sales@firma.example"}, Subject: "Запрос цены", BaseSubject: "запрос цены",
		ArrivedAt: day,
	}
	if change != nil {
		change(&l)
	}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		if l.ThreadID == 0 {
			th := models.Thread{BaseSubject: l.BaseSubject, LastAt: l.ArrivedAt}
			if err := tx.CreateThread(ctx, &th); err != nil {
				return err
			}
			l.ThreadID = th.ID
		}
		_, err := tx.UpsertLetter(ctx, &l, refs)
		return err
	})
	return l
}

func newLocation(t *testing.T, db *store.DB, o office, role models.FolderRole, uid uint32, letter models.Letter) models.Location {
	t.Helper()
	l := models.Location{
		LetterID: letter.ID, MailboxID: o.mailbox.ID, FolderID: o.folders[role].ID, UIDValidity: 7, UID: uid,
		Flags: models.Strings{`\Seen`}, HeaderHash: fmt.Sprintf("hash%d", letter.ID), Size: 1000, InternalDate: &day,
	}
	inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.AddLocation(ctx, &l)
		return err
	})
	return l
}

func TestUpsertLetter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := newLetter(t, db, "a", nil, "one@x", "two@x")
		if a.ID == 0 {
			t.Fatal("no id")
		}
		again := models.Letter{Fingerprint: a.Fingerprint, Subject: "another", ThreadID: a.ThreadID}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
			created, err := tx.UpsertLetter(ctx, &again, []string{"three@x"})
			if created {
				t.Error("created again")
			}
			return err
		})
		if again.ID != a.ID || again.Subject != a.Subject || !again.ArrivedAt.Equal(day) || again.ArrivedAt.Location() != time.UTC {
			t.Errorf("stored row: %+v", again)
		}
		refs, err := db.Read().ReferencesOf(t.Context(), []int64{a.ID})
		must(t, err)
		if got := refs[a.ID]; len(got) != 2 || got[0] != "one@x" || got[1] != "two@x" {
			t.Errorf("references: %v", refs)
		}
		for id, want := range map[string]int{"one@x": 1, "three@x": 0, "": 0} {
			rows, err := db.Read().LettersReferring(t.Context(), []string{id})
			must(t, err)
			if len(rows) != want {
				t.Errorf("referring to %q: %d letters, want %d", id, len(rows), want)
			}
		}
		if _, err := db.Read().Letter(t.Context(), a.ID+1); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("unknown letter: %v", err)
		}
	})
}
