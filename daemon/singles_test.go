package daemon

import (
	"slices"
	"testing"

	"kontrol/config"
)

func TestConnectionsAreSharedOut(t *testing.T) {
	t.Parallel()
	box := func(address, server string, limit int) config.Mailbox {
		return config.Mailbox{Address: address, Server: config.ServerConfig{Name: server, MaxConnections: limit}}
	}
	for name, c := range map[string]struct {
		boxes []config.Mailbox
		want  []string
	}{
		"no limit":      {[]config.Mailbox{box("a", "s", 0), box("b", "s", 0)}, nil},
		"just enough":   {[]config.Mailbox{box("a", "s", 4), box("b", "s", 4)}, nil},
		"one too few":   {[]config.Mailbox{box("a", "s", 3), box("b", "s", 3)}, []string{"b"}},
		"one for each":  {[]config.Mailbox{box("a", "s", 2), box("b", "s", 2)}, []string{"a", "b"}},
		"other servers": {[]config.Mailbox{box("a", "s", 1), box("b", "u", 0), box("c", "v", 2)}, []string{"a"}},
	} {
		var got []string
		for a := range singles(c.boxes) {
			got = append(got, a)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
