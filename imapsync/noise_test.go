package imapsync

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kontrol/internal/imaptest"
	"kontrol/models"
)

// TestNoiseAnywhere puts odd lines before the answers of a server that works well otherwise. Everything then goes right,
// or fails as temporary or refused; nothing is taken for gone, and no letter is changed.
func TestNoiseAnywhere(t *testing.T) {
	t.Parallel()
	var noise []string
	for _, s := range guardSeeds() {
		if !strings.HasPrefix(s, "T") && !strings.Contains(s, "COPYUID") && !strings.HasPrefix(s, "* BYE") && !strings.Contains(s, "UID 1 ") {
			noise = append(noise, s)
		}
	}
	right := 0
	rapid.Check(t, func(r *rapid.T) {
		s, err := imaptest.StartScript(imaptest.Plain())
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		for i := range 3 {
			s.Deliver("INBOX", letter(i+1))
		}
		lines := rapid.SliceOfN(rapid.SampledFrom(noise), 1, 12).Draw(r, "noise")
		s.On("", func(turn *imaptest.Turn) bool {
			if strings.HasPrefix(turn.Line, "AUTHENTICATE") {
				return false
			}
			if len(lines) > 0 {
				turn.Printf("%s", lines[0])
				lines = lines[1:]
			}
			return false
		})
		if err := noisyDay(t, r, s); err != nil {
			var refused *StatusError
			if !models.IsTemporary(err) && !errors.As(err, &refused) {
				r.Fatalf("%v", err)
			}
			return
		}
		right++
	})
	if right < 50 {
		t.Errorf("only %d days went right", right)
	}
}

func noisyDay(t *testing.T, r *rapid.T, s *imaptest.Script) error {
	c, err := NewDialer(quick(account(s.URL())), nil, nil).Dial(t.Context())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Select(t.Context(), "INBOX", false); err != nil {
		return err
	}
	ans, err := c.Fetch(t.Context(), []uint32{1, 2, 3}, 100)
	if err != nil {
		return err
	}
	if len(ans.Letters) != 3 {
		r.Errorf("fetch %+v", ans)
	}
	for _, l := range ans.Letters {
		if string(l.Header)+string(l.Text) != string(letter(int(l.UID))) {
			r.Errorf("letter %d changed: %q %q", l.UID, l.Header, l.Text)
		}
	}
	if _, err := c.List(t.Context()); err != nil {
		return err
	}
	to, err := c.(*Conn).Move(t.Context(), 2, "Sent")
	if err != nil {
		return err
	}
	if to.UID != 1 || len(s.Letters("Sent")) != 1 {
		r.Errorf("moved to %+v", to)
	}
	return nil
}
