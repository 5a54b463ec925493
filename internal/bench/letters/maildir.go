package letters

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Filled tells what Fill has written.
type Filled struct {
	Letters int
	Octets  int64
	LastUID uint32
	PerRule [2]int // letters that match a rule, by folder
}

// MakeFolder makes an empty Maildir folder.
func MakeFolder(dir string) error {
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return fmt.Errorf("make a maildir: %w", err)
		}
	}
	return nil
}

// Fill writes letters straight into a Maildir, with Dovecot's list of UIDs beside them, so that nothing has to be
// delivered: about 10,000 letters a second. There are gaps between UIDs, as in a mailbox that is used. make gives letter
// number i.
func (m *Maker) Fill(dir string, n int, makeLetter func(i int) Letter) (Filled, error) {
	if err := MakeFolder(dir); err != nil {
		return Filled{}, err
	}
	names, sizes := make([]string, n), make([]int64, n)
	rules := make([]int, n)
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				l := makeLetter(i)
				sizes[i], rules[i] = int64(len(l.Raw)), l.Rule
				names[i], errs[w] = WriteFile(filepath.Join(dir, "cur"), i, l)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return Filled{}, err
	}
	out := Filled{Letters: n}
	var list bytes.Buffer
	for i, name := range names {
		out.LastUID += 1 + m.gap(i)
		fmt.Fprintf(&list, "%d :%s\n", out.LastUID, name)
		out.Octets += sizes[i]
		if rules[i] >= 0 {
			out.PerRule[rules[i]%2]++
		}
	}
	head := fmt.Sprintf("3 V%d N%d G%032x\n", 1700000000, out.LastUID+1, m.seed)
	err := os.WriteFile(filepath.Join(dir, "dovecot-uidlist"), append([]byte(head), list.Bytes()...), 0o600)
	if err != nil {
		return out, fmt.Errorf("write the list of uids: %w", err)
	}
	return out, nil
}

func (m *Maker) gap(i int) uint32 {
	r := m.random(-1, i)
	if r.n(12) != 0 {
		return 0
	}
	return 1 + uint32(r.n(4))
}

// WriteFile writes one letter under the name that Dovecot would give it, and returns the name without flags.
func WriteFile(dir string, n int, l Letter) (string, error) {
	lines := bytes.Count(l.Raw, []byte("\n"))
	name := fmt.Sprintf("%d.M%06dP%d.bench,S=%d,W=%d", l.Date.Unix(), n%1000000, 1+n/1000000, len(l.Raw), len(l.Raw)+lines)
	path := filepath.Join(dir, name)
	if filepath.Base(dir) == "cur" {
		path += ":2," + l.info
	}
	if err := os.WriteFile(path, l.Raw, 0o600); err != nil {
		return "", fmt.Errorf("write a letter: %w", err)
	}
	if err := os.Chtimes(path, time.Time{}, l.Date); err != nil {
		return "", fmt.Errorf("date a letter: %w", err)
	}
	return name, nil
}

// Answer makes the answer of a mailbox's owner to a letter.
func (m *Maker) Answer(box int, to Letter) Letter {
	r := m.random(box, len(to.ID)+int(to.Date.Unix()))
	a := Letter{ID: "re." + to.ID, From: Address(box), Rule: NoRule, Date: to.Date.Add(time.Hour), info: "S"}
	a.Raw = fmt.Appendf(nil, "From: <%s>\nTo: <%s>\nSubject: %s\nDate: %s\nMessage-ID: <%s>\nIn-Reply-To: <%s>\nReferences: <%s>\n"+
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n%s",
		a.From, to.From, "Re: "+word(r, "Ваше письмо", "utf-8"), a.Date.Format(time.RFC1123Z), a.ID, to.ID, to.ID, prose(r, true, 300))
	return a
}

// UIDs returns the UIDs under which Fill stores letters 0 to n-1.
func (m *Maker) UIDs(n int) []uint32 {
	uids := make([]uint32, n)
	last := uint32(0)
	for i := range uids {
		last += 1 + m.gap(i)
		uids[i] = last
	}
	return uids
}
