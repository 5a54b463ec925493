package main

import (
	"fmt"
	"os"
	"strings"
)

// marks are the lines between which the tables of a job stand in the document.
func marks(name string) (begin, end string) {
	return "<!-- bench " + name + " -->", "<!-- /bench " + name + " -->"
}

// writeDocs puts the tables between their markers; those of jobs that were not run stay.
func writeDocs(path string, tables []table, machine string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	byJob := map[string]string{"machine": machine}
	for i := range tables {
		byJob[tables[i].job] += tables[i].markdown()
	}
	out := string(text)
	for name, body := range byJob {
		if out, err = between(out, name, body); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

func between(text, name, body string) (string, error) {
	begin, end := marks(name)
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("no markers %s … %s", begin, end)
	}
	return before + begin + "\n" + strings.TrimRight(body, "\n") + "\n" + end + after, nil
}
