package imapsync

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

func account(url string) Account {
	return Account{
		MailboxID: 1, Address: "ivan@example.ru", URL: url, Username: "ivan",
		Secret: func(context.Context) (string, error) { return "pass", nil },
	}
}

func memory(t *testing.T, o imaptest.MemoryOptions) (*imaptest.Memory, *Conn) {
	t.Helper()
	o.Users = map[string]string{"ivan": "pass"}
	m := imaptest.NewMemory(t, o)
	return m, dialTest(t, account(m.URL()))
}

func dialTest(t *testing.T, a Account) *Conn {
	t.Helper()
	s, err := NewDialer(a, nil, nil).Dial(t.Context())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(s.Close)
	return s.(*Conn)
}

func letter(n int) []byte {
	return fmt.Appendf(nil, "From: a@b.ru\r\nSubject: letter %d\r\nMessage-ID: <%d@x>\r\n\r\nbody %d\r\n", n, n, n)
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestMemoryDay(t *testing.T) {
	t.Parallel()
	m, c := memory(t, imaptest.MemoryOptions{})
	ctx := t.Context()
	if caps := c.Caps(); !caps.Move || !caps.UIDPlus || !caps.Idle || !caps.SpecialUse {
		t.Errorf("caps %+v", caps)
	}
	for i := range 3 {
		must[uint32](t)(m.Deliver("ivan", "INBOX", letter(i+1)))
	}
	folders, notes, err := ResolveFolders(ctx, c, Names{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(folders, notes)
	if folders[models.FolderSent].Name != "Sent" || folders[models.FolderProcessed].Name != defaultProcessed {
		t.Errorf("folders %v", folders)
	}
	sel := must[Selected](t)(c.Select(ctx, "INBOX", false))
	if sel.Messages != 3 || sel.UIDNext != 4 || sel.ReadOnly || !sel.Keywords || sel.UIDValidity < 1000 {
		t.Errorf("selected %+v", sel)
	}
	ans := must[FetchAnswer](t)(c.Fetch(ctx, []uint32{3, 1, 2, 9, 2}, 100))
	if len(ans.Letters) != 3 || !slices.Equal(ans.Gone, []uint32{9}) || len(ans.Bad) != 0 {
		t.Fatalf("fetch %+v", ans)
	}
	if l := ans.Letters[0]; string(l.Text) != "body 1\r\n" || string(l.Header)+string(l.Text) != string(letter(1)) || l.InternalDate.IsZero() || l.Size != int64(len(letter(1))) {
		t.Errorf("letter %q %q %+v", l.Header, l.Text, l)
	}
	to := must[CopyUID](t)(c.Move(ctx, 2, defaultProcessed))
	if to.UID != 1 || to.UIDValidity == 0 {
		t.Errorf("moved to %+v", to)
	}
	if to = must[CopyUID](t)(c.Move(ctx, 2, defaultProcessed)); to != (CopyUID{}) {
		t.Errorf("moved what is gone to %+v", to)
	}
	to = must[CopyUID](t)(c.Copy(ctx, 1, "Sent"))
	if to.UID != 1 {
		t.Errorf("copied to %+v", to)
	}
	if err := c.MarkDeleted(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Expunge(ctx, 1); err != nil {
		t.Fatal(err)
	}
	metas := must[[]Meta](t)(c.UIDs(ctx, 1, 0))
	if len(metas) != 1 || metas[0].UID != 3 {
		t.Errorf("left %+v", metas)
	}
	if metas = must[[]Meta](t)(c.UIDs(ctx, 4, 0)); len(metas) != 0 {
		t.Errorf("beyond the end: %+v", metas)
	}
	to = must[CopyUID](t)(c.Append(ctx, defaultControl, []string{`\Seen`}, time.Time{}, letter(7)))
	if to.UID != 1 {
		t.Errorf("appended to %+v", to)
	}
	st := must[Selected](t)(c.Status(ctx, defaultControl))
	if st.Messages != 1 || st.UIDNext != 2 || st.UIDValidity != to.UIDValidity {
		t.Errorf("status %+v", st)
	}
}

func TestMemoryIdle(t *testing.T) {
	t.Parallel()
	m, c := memory(t, imaptest.MemoryOptions{})
	ctx := t.Context()
	must[Selected](t)(c.Select(ctx, "INBOX", false))
	if changed := must[bool](t)(c.Idle(ctx, 20*time.Millisecond, nil)); changed {
		t.Error("changed without a change")
	}
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	if changed := must[bool](t)(c.Idle(ctx, time.Minute, wake)); changed {
		t.Error("changed although only woken")
	}
	go func() { _, _ = m.Deliver("ivan", "INBOX", letter(1)) }()
	if changed := must[bool](t)(c.Idle(ctx, 3*time.Second, nil)); !changed {
		t.Error("no change noticed")
	}
	go m.Drop()
	if _, err := c.Idle(ctx, time.Minute, nil); !models.IsTemporary(err) || !c.Dead() {
		t.Errorf("dropped: %v, dead %v", err, c.Dead())
	}
	if _, err := c.UIDs(ctx, 1, 0); err == nil || !models.IsTemporary(err) {
		t.Errorf("after death: %v", err)
	}
}
