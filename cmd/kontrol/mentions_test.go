package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestTextsNameOnlyCommandsThatExist keeps texts from sending people to commands that are not there.
func TestTextsNameOnlyCommandsThatExist(t *testing.T) {
	t.Parallel()
	root := testCLI(t, "en").rootCommand()
	names, err := filepath.Glob("../../locale/texts/*.toml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no texts: %v", err)
	}
	mention := regexp.MustCompile(`\bkontrol ([a-z]+)(?: ([a-z]+))?`)
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mention.FindAllStringSubmatch(string(b), -1) {
			if m[1] == "the" { // "asks kontrol the right question"
				continue
			}
			found, _, err := root.Find([]string{m[1]})
			if err != nil || found == root {
				t.Errorf("%s: there is no %q", filepath.Base(name), m[0])
				continue
			}
			if m[2] == "" || !found.HasSubCommands() {
				continue
			}
			if sub, _, err := root.Find([]string{m[1], m[2]}); err != nil || sub == found {
				t.Errorf("%s: there is no %q", filepath.Base(name), m[0])
			}
		}
	}
}
