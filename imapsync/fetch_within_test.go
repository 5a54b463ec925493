package imapsync

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kontrol/internal/imaptest"
)

// asked counts the commands that asked for letters, and those that asked for less.
func fetched(s *imaptest.Script) (bodies, metas int) {
	for _, c := range s.Commands() {
		switch {
		case !strings.HasPrefix(c, "UID FETCH"):
		case strings.Contains(c, "BODY"):
			bodies++
		default:
			metas++
		}
	}
	return bodies, metas
}

func bigLetter(n, size int) []byte {
	return append(letter(n), bytes.Repeat([]byte("0123456789abcdef0123456789abcd\r\n"), size/32)...)
}

func TestFetchIsOneCommand(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	var uids []uint32
	for i := range 700 {
		uids = append(uids, s.Deliver("INBOX", letter(i+1)))
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	a, rest, err := c.FetchWithin(t.Context(), uids, 1000, 1<<20)
	if err != nil || len(a.Letters) != batchLetters || !slices.Equal(rest, uids[batchLetters:]) {
		t.Fatalf("%d letters, %d left: %v", len(a.Letters), len(rest), err)
	}
	if bodies, metas := fetched(s); bodies != 1 || metas != 0 {
		t.Errorf("%d commands for letters, %d others", bodies, metas)
	}
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 1000))
	if len(ans.Letters) != 700 {
		t.Errorf("%d letters", len(ans.Letters))
	}
}

// TestFetchKeepsWithinItsRoom: what there is no room for is left for another time, in whatever order it comes.
func TestFetchKeepsWithinItsRoom(t *testing.T) {
	t.Parallel()
	for _, backwards := range []bool{false, true} {
		t.Run(fmt.Sprintf("backwards %v", backwards), func(t *testing.T) {
			t.Parallel()
			p := imaptest.Plain()
			s, c := script(t, p)
			var uids []uint32
			for i := range 30 {
				uids = append(uids, s.Deliver("INBOX", bigLetter(i+1, 1000*(i%5+1))))
			}
			s.On("UID FETCH", func(turn *imaptest.Turn) bool {
				letters := s.Letters("INBOX")
				if !backwards {
					return false
				}
				slices.Reverse(letters)
				for _, l := range letters {
					if slices.Contains(expand(turn.Args[2]), l.UID) {
						turn.Printf("* %d FETCH (UID %d%s)\r\n", l.UID, l.UID, imaptest.FetchItems(p, strings.Join(turn.Args[3:], " "), l))
					}
				}
				turn.Printf("%s OK done\r\n", turn.Tag)
				return true
			})
			must[Selected](t)(c.Select(t.Context(), "INBOX", false))
			var seen []uint32
			const room = 10000
			for rest := uids; len(rest) > 0; {
				a, left, err := c.FetchWithin(t.Context(), rest, 64<<10, room)
				if err != nil || len(a.Letters) == 0 || len(a.Gone)+len(a.Bad) > 0 {
					t.Fatalf("%+v %v", a, err)
				}
				octets := 0
				for _, l := range a.Letters {
					seen = append(seen, l.UID)
					octets += len(l.Header) + len(l.Text)
					if got := string(l.Header) + string(l.Text); got != string(bigLetter(int(l.UID), 1000*(int(l.UID-1)%5+1))) {
						t.Errorf("letter %d changed", l.UID)
					}
				}
				if octets > room {
					t.Errorf("%d octets kept of %d allowed", octets, room)
				}
				rest = left
			}
			if !slices.Equal(seen, uids) {
				t.Errorf("%v", seen)
			}
		})
	}
}

func TestFetchAlwaysBringsOne(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	uids := []uint32{s.Deliver("INBOX", bigLetter(1, 5000)), s.Deliver("INBOX", bigLetter(2, 5000))}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	a, rest, err := c.FetchWithin(t.Context(), uids, 64<<10, 1)
	if err != nil || len(a.Letters) != 1 || len(a.Letters[0].Text) < 4900 || !slices.Equal(rest, uids[1:]) {
		t.Errorf("%d letters, left %v: %v", len(a.Letters), rest, err)
	}
}

// cutText makes the server give only the start of a letter's text, with a literal that fits what it gives.
func cutText(s *imaptest.Script, p imaptest.Profile, uid uint32, when func(items string) bool) {
	s.On("UID FETCH", func(turn *imaptest.Turn) bool {
		items := strings.Join(turn.Args[3:], " ")
		if !strings.Contains(items, "BODY") || !when(items) {
			return false
		}
		for _, l := range s.Letters("INBOX") {
			if !slices.Contains(expand(turn.Args[2]), l.UID) {
				continue
			}
			whole := len(l.Raw)
			if l.UID == uid {
				l.Raw = l.Raw[:len(l.Raw)/2]
			}
			answer := string(imaptest.FetchItems(p, items, l))
			answer = strings.Replace(answer, fmt.Sprintf("RFC822.SIZE %d", len(l.Raw)), fmt.Sprintf("RFC822.SIZE %d", whole), 1)
			turn.Printf("* %d FETCH (UID %d%s)\r\n", l.UID, l.UID, answer)
		}
		turn.Printf("%s OK done\r\n", turn.Tag)
		return true
	})
}

// TestNoLetterIsTakenInHalf: a letter that comes short of its size is asked for again, in another way.
func TestNoLetterIsTakenInHalf(t *testing.T) {
	t.Parallel()
	inParts := func(items string) bool { return strings.Contains(items, "BODY.PEEK[TEXT]") }
	once := func() func(string) bool {
		n := 0
		return func(string) bool { n++; return n == 1 }
	}
	flaky := func() func(string) bool { // a little of it the first time, in parts all of it never
		n := 0
		return func(items string) bool { n++; return n == 1 || inParts(items) }
	}
	for name, when := range map[string]func() func(string) bool{"once": once, "in parts": func() func(string) bool { return inParts }, "most times": flaky} {
		for _, alone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, alone %v", name, alone), func(t *testing.T) {
				t.Parallel()
				p := imaptest.Plain()
				s, c := script(t, p)
				for i := range 3 {
					s.Deliver("INBOX", bigLetter(i+1, 2000))
				}
				cutText(s, p, 2, when())
				must[Selected](t)(c.Select(t.Context(), "INBOX", false))
				uids := []uint32{1, 2, 3}
				if alone {
					uids = uids[1:2]
				}
				ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 64<<10))
				if len(ans.Letters) != len(uids) {
					t.Fatalf("%+v", ans.Bad)
				}
				for _, l := range ans.Letters {
					if string(l.Header)+string(l.Text) != string(bigLetter(int(l.UID), 2000)) {
						t.Errorf("letter %d was taken in half: %d octets", l.UID, len(l.Header)+len(l.Text))
					}
				}
			})
		}
	}
}

// TestSizesThatAreEstimates: where the sizes are wrong the letters come all the same, and not one by one.
func TestSizesThatAreEstimates(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Exchange())
	var uids []uint32
	for i := range 200 {
		uids = append(uids, s.Deliver("INBOX", letter(i+1)))
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 1000))
	if len(ans.Letters) != 200 {
		t.Errorf("%d letters, bad %+v", len(ans.Letters), ans.Bad)
	}
	if bodies, metas := fetched(s); bodies > 2 || metas > 1 {
		t.Errorf("%d commands for letters, %d others", bodies, metas)
	}
}

// TestManyGone: copies that a person has deleted meanwhile are found gone together, after the folder was opened afresh.
func TestManyGone(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	var uids, gone []uint32
	for i := range 300 {
		uids = append(uids, s.Deliver("INBOX", letter(i+1)))
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	for _, uid := range uids {
		if uid%3 == 0 {
			s.Vanish("INBOX", uid)
			gone = append(gone, uid)
		}
	}
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 1000))
	if len(ans.Letters) != 200 || !slices.Equal(ans.Gone, gone) {
		t.Errorf("%d letters, gone %v", len(ans.Letters), ans.Gone)
	}
	if bodies, metas := fetched(s); bodies != 1 || metas != 2 {
		t.Errorf("%d commands for letters, %d others", bodies, metas)
	}
	selects := 0
	for _, cmd := range s.Commands() {
		if strings.HasPrefix(cmd, "SELECT") {
			selects++
		}
	}
	if selects != 2 {
		t.Errorf("the folder was opened %d times", selects)
	}
}

// TestFolderLooksEmptyForAMoment: copies that are missing once are not gone when the folder opened afresh has them.
func TestFolderLooksEmptyForAMoment(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	var uids []uint32
	for i := range 20 {
		uids = append(uids, s.Deliver("INBOX", letter(i+1)))
	}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.OnNth("UID FETCH", 1, imaptest.Answer("TAG OK done\r\n"))
	s.OnNth("UID FETCH", 2, imaptest.Answer("TAG OK done\r\n"))
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 1000))
	if len(ans.Letters) != 20 || len(ans.Gone) > 0 {
		t.Errorf("%d letters, gone %v", len(ans.Letters), ans.Gone)
	}
}

// TestOneLetterIsRefused: a server that answers NO because of one letter costs that letter only.
func TestOneLetterIsRefused(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	var uids []uint32
	for i := range 200 {
		uids = append(uids, s.Deliver("INBOX", letter(i+1)))
	}
	s.On("UID FETCH", func(turn *imaptest.Turn) bool {
		if strings.Contains(turn.Line, "BODY") && slices.Contains(expand(turn.Args[2]), 77) {
			turn.Printf("%s NO letter 77 cannot be opened\r\n", turn.Tag)
			return true
		}
		return false
	})
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 1000))
	if len(ans.Letters) != 199 || len(ans.Bad) != 1 || ans.Bad[0].UID != 77 {
		t.Errorf("%d letters, bad %+v, gone %v", len(ans.Letters), ans.Bad, ans.Gone)
	}
	if n, _ := fetched(s); n > 25 {
		t.Errorf("%d commands for letters", n)
	}
	s.On("UID FETCH", imaptest.Answer("TAG NO [UNAVAILABLE] backend error\r\n"))
	var refused *StatusError
	if ans, err := c.Fetch(t.Context(), uids, 1000); err == nil || (errors.As(err, &refused) && len(ans.Bad) > 0) {
		t.Errorf("a busy server cost letters: %+v %v", ans, err)
	}
}

// TestLongHeaders: headers of any length are cut by us, without asking for sizes first.
func TestLongHeaders(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	long := append([]byte("Subject: x\r\n"+strings.Repeat("X-Pad: "+strings.Repeat("p", 900)+"\r\n", 700)), "\r\nbody\r\n"...)
	uids := []uint32{s.Deliver("INBOX", letter(1)), s.Deliver("INBOX", long), s.Deliver("INBOX", letter(3))}
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	ans := must[FetchAnswer](t)(c.Fetch(t.Context(), uids, 1000))
	if len(ans.Letters) != 3 || len(ans.Letters[1].Header) != defaultHeaderCap || string(ans.Letters[1].Text) != "body\r\n" {
		t.Errorf("%d letters: %+v", len(ans.Letters), ans.Bad)
	}
}

// TestListingInAnyOrder: each copy is listed once, by UID, with the flags that were told last.
func TestListingInAnyOrder(t *testing.T) {
	t.Parallel()
	s, c := script(t, imaptest.Plain())
	s.Deliver("INBOX", letter(1))
	must[Selected](t)(c.Select(t.Context(), "INBOX", false))
	s.On("UID FETCH", imaptest.Answer("* 3 FETCH (UID 9 FLAGS (\\Seen))\r\n* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID 5 FLAGS (a))\r\n"+
		"* 3 FETCH (UID 9 FLAGS (\\Flagged))\r\n* 1 FETCH (UID 2 MODSEQ (7))\r\nTAG OK x\r\n"))
	metas := must[[]Meta](t)(c.UIDs(t.Context(), 1, 0))
	var got string
	for _, m := range metas {
		got += fmt.Sprint(m.UID, m.Flags)
	}
	if got != `2 []5 [a]9 [\Flagged]` {
		t.Errorf("%s", got)
	}
}
