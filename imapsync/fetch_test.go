package imapsync

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// breakOn makes the server break the connection whenever one of the letters is asked for.
func breakOn(s *imaptest.Script, uids ...uint32) {
	s.On("UID FETCH", func(turn *imaptest.Turn) bool {
		if !strings.Contains(turn.Line, "BODY") {
			return false
		}
		for _, uid := range expand(turn.Args[2]) {
			if slices.Contains(uids, uid) {
				turn.Printf("* BYE internal trouble\r\n")
				turn.Close()
				return true
			}
		}
		return false
	})
}

func TestFetchFindsThePoison(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	var uids []uint32
	for i := range 120 {
		uids = append(uids, s.Deliver("INBOX", letter(i+1)))
	}
	breakOn(s, 1, 50, 77)
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 100))
	if len(ans.Letters) != 117 || len(ans.Bad) != 3 || len(ans.Gone) != 0 {
		t.Errorf("%d letters, bad %+v, gone %v", len(ans.Letters), ans.Bad, ans.Gone)
	}
	t.Logf("%d connections", s.Connections())
	if c.Dead() {
		t.Error("dead")
	}
}

// TestFetchGoesOn: more poison than one call may spend connections on does not stop a folder for ever.
func TestFetchGoesOn(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	var uids []uint32
	for i := range 30 {
		uids = append(uids, s.Deliver("INBOX", letter(i+1)))
	}
	breakOn(s, uids[5:25]...)
	for range 10 {
		if c.Dead() {
			fresh, err := c.dialer.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c = fresh.(*Conn)
			t.Cleanup(c.Close)
		}
		must[Selected](t)(c.Select(t.Context(), "INBOX", false))
		ans, err := c.Fetch(t.Context(), uids, 100)
		if err == nil {
			if len(ans.Letters) != 10 || len(ans.Bad) != 20 {
				t.Errorf("%d letters, %d bad", len(ans.Letters), len(ans.Bad))
			}
			return
		}
		if !models.IsTemporary(err) {
			t.Fatal(err)
		}
	}
	t.Error("no end")
}

func TestFetchRefusedForAWhile(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	s.Deliver("INBOX", letter(1))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.On("UID FETCH", imaptest.Answer("TAG NO [UNAVAILABLE] backend error\r\n"))
	if ans, err := c.Fetch(t.Context(), []uint32{1}, 100); err == nil || len(ans.Bad)+len(ans.Gone) > 0 {
		t.Errorf("a busy server cost a letter: %+v %v", ans, err)
	}
	s.On("UID FETCH", imaptest.Answer("TAG NO no such mailbox\r\n"))
	if ans, err := c.Fetch(t.Context(), []uint32{1}, 100); err == nil {
		t.Errorf("a folder that went away cost a letter: %+v", ans)
	}
}

func TestFetchPartialNo(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	for i := range 3 {
		s.Deliver("INBOX", letter(i+1))
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.OnNth("UID FETCH", 1, func(turn *imaptest.Turn) bool {
		s.Vanish("INBOX", 2)
		l := s.Letters("INBOX")[0]
		turn.Printf("* 1 FETCH (UID 1%s)\r\n%s NO [EXPUNGEISSUED] Some messages are gone\r\n", imaptest.FetchItems(imaptest.Plain(), turn.Line, l), turn.Tag)
		return true
	})
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), []uint32{1, 2, 3}, 100))
	if len(ans.Letters) != 2 || !slices.Equal(ans.Gone, []uint32{2}) {
		t.Errorf("%+v", ans)
	}
}

func TestCourierStub(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	s.Deliver("INBOX", letter(1))
	s.Deliver("INBOX", letter(2))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	stub := "* 1 FETCH (UID 1 BODY[HEADER] {30}\r\nFrom: System\r\nSubject: xxx\r\n\r\n BODY[TEXT]<0> {52}\r\nThis message is no longer available on the server.\r\n)\r\nTAG OK x\r\n"
	s.OnNth("UID FETCH", 1, func(turn *imaptest.Turn) bool {
		s.Vanish("INBOX", 1)
		return imaptest.Answer(stub)(turn)
	})
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), []uint32{1, 2}, 100))
	if len(ans.Letters) != 1 || ans.Letters[0].UID != 2 || !slices.Equal(ans.Gone, []uint32{1}) {
		t.Errorf("%+v", ans)
	}
}

func TestFetchOtherFolderUnderTheSameName(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	s.Deliver("INBOX", letter(1))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.OnNth("UID FETCH", 1, func(turn *imaptest.Turn) bool {
		s.SetValidity("INBOX", 777)
		turn.Close()
		return true
	})
	if ans, err := c.Fetch(t.Context(), []uint32{1}, 100); !models.IsTemporary(err) {
		t.Errorf("%+v %v", ans, err)
	}
}

func TestUIDsNeverHideLetters(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	for i := range 3 {
		s.Deliver("INBOX", letter(i+1))
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.On("UID FETCH", imaptest.Answer("* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (FLAGS (\\Seen UID 2)\r\n* 3 FETCH (UID 3 FLAGS ())\r\nTAG OK x\r\n"))
	metas, err := c.UIDs(t.Context(), 1, 0)
	if err == nil || !models.IsTemporary(err) {
		t.Errorf("an incomplete list was believed: %+v", metas)
	}
	s.On("UID FETCH", imaptest.Answer("* 3 FETCH (UID 3 FLAGS ())\r\nTAG OK x\r\n"))
	if metas, err = c.UIDs(t.Context(), 10, 0); err != nil || len(metas) != 0 {
		t.Errorf("beyond the end: %+v %v", metas, err)
	}
	s.On("UID FETCH", imaptest.Answer("* 1 FETCH (UID 1 FLAGS ())\r\nTAG NO [UNAVAILABLE] x\r\n"))
	var refused *StatusError
	if metas, err = c.UIDs(t.Context(), 1, 0); !errors.As(err, &refused) {
		t.Errorf("refused: %+v %v", metas, err)
	}
}

// TestCutAnywhere breaks connections after any number of octets: the answer is right or a temporary error.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	s := imaptest.NewScript(t, imaptest.Plain())
	for i := range 4 {
		s.Deliver("INBOX", letter(i+1))
	}
	d := NewDialer(quick(account(s.URL())), nil, nil)
	rapid.Check(t, func(r *rapid.T) {
		s.CutConnectionsAfter(rapid.Int64Range(1, 3500).Draw(r, "octets"))
		conn, err := d.Dial(t.Context())
		if err != nil {
			if !models.IsTemporary(err) {
				r.Fatalf("dial: %v", err)
			}
			return
		}
		defer conn.Close()
		if _, err := conn.Select(t.Context(), "INBOX", false); err != nil {
			if !models.IsTemporary(err) {
				r.Fatalf("select: %v", err)
			}
			return
		}
		ans, err := conn.Fetch(t.Context(), []uint32{1, 2, 3, 4}, 100)
		if err != nil {
			if !models.IsTemporary(err) {
				r.Fatalf("fetch: %v", err)
			}
			return
		}
		if len(ans.Gone) > 0 || len(ans.Letters)+len(ans.Bad) != 4 {
			r.Fatalf("fetch: %+v", ans)
		}
		for _, l := range ans.Letters {
			if string(l.Header)+string(l.Text) != string(letter(int(l.UID))) {
				r.Fatalf("letter %d changed", l.UID)
			}
		}
	})
}

func TestFetchManyOnMemory(t *testing.T) {
	t.Parallel()
	m, c := memory(t, imaptest.MemoryOptions{})
	var uids []uint32
	for i := range 1200 {
		uids = append(uids, must[uint32](t)(m.Deliver("ivan", "INBOX", letter(i+1))))
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	start := time.Now()
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 100))
	if len(ans.Letters) != 1200 {
		t.Errorf("%d letters", len(ans.Letters))
	}
	for i, l := range ans.Letters {
		if l.UID != uint32(i+1) || !strings.Contains(string(l.Header), fmt.Sprintf("letter %d\r\n", i+1)) {
			t.Fatalf("letter %d: %q", i, l.Header)
		}
	}
	t.Logf("1200 letters in %v", time.Since(start))
	if n := m.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
