package inbound

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgreesWithPython compares with what the e-mail package of Python 3 made of the same letters. They differ where
// Python keeps what this package repairs; the share must not sink.
func TestAgreesWithPython(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join(corpora, "peer_python_email.jsonl"))
	if err != nil {
		t.Skip("no corpora beside the checkout")
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	total, same := map[string]int{}, map[string]int{}
	for lines.Scan() {
		var peer struct {
			File, Subject, From string
			MessageID           string `json:"message_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &peer); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(corpora, peer.File))
		if err != nil {
			continue
		}
		f, err := Read(sourceOf(raw), Own{})
		if err != nil {
			continue
		}
		from := ""
		if list := parseAddresses([]byte(peer.From), ""); len(list) > 0 {
			from = list[0].address
		}
		for name, pair := range map[string][2]string{
			"subject": {f.Letter.Subject, cleanLine(peer.Subject, maxSubject)},
			"id":      {f.Letter.MessageID, strings.Join(strings.Fields(strings.Trim(peer.MessageID, "<> ")), "")},
			"from":    {f.Letter.FromAddress, from},
		} {
			if pair[1] == "" {
				continue
			}
			total[name]++
			if pair[0] == pair[1] {
				same[name]++
			} else {
				t.Logf("%s: %s: %q, Python %q", peer.File, name, pair[0], pair[1])
			}
		}
	}
	for name, n := range total {
		t.Logf("%s: %d of %d", name, same[name], n)
		if rate := float64(same[name]) / float64(n); rate < 0.97 {
			t.Errorf("%s: only %.3f agree", name, rate)
		}
	}
}
