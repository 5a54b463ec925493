package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	env := map[string]string{"B": "x"}
	second := "\n[[managers]]\nname = \"Борис\"\nemail = \"boris@firma.example\"\npassword_env = \"B\"\n"
	hosts := "\n[[hosts]]\nname = \"Mail.firma.example\"\ncommands_per_minute = 60\n"
	for name, c := range map[string]struct {
		before, after       string
		reloadable, restart []string
	}{
		"nothing":   {small, small + "\n[log]\nlevel = \"info\"\n", nil, nil},
		"order":     {small + second, "[servers.corp]\nimap = \"imaps://mail.firma.example\"\n" + second + small[strings.Index(small, "[[managers]]"):], nil, nil},
		"log":       {small, small + "[log]\nlevel = \"debug\"\nformat = \"json\"\n", []string{"log.level"}, []string{"log.format"}},
		"language":  {small, "language = \"en\"\n" + small, []string{"language"}, nil},
		"triage":    {small, small + "[triage]\nfirst_look = \"1w\"\n", []string{"triage.first_look"}, nil},
		"same span": {small + "[triage]\nfirst_look = \"7d\"\n", small + "[triage]\nfirst_look = \"1w\"\n", nil, nil},
		"password":  {small, strings.Replace(small, canary, "other", 1), []string{"managers[ivanova@firma.example].password"}, nil},
		"secret": {small, strings.Replace(small, `password = "`+canary+`"`, `password_env = "B"`, 1),
			[]string{"managers[ivanova@firma.example].password", "managers[ivanova@firma.example].password_env"}, nil},
		"added":    {small, small + second, nil, []string{"managers[boris@firma.example]"}},
		"removed":  {small + second, small, nil, []string{"managers[boris@firma.example]"}},
		"folders":  {small, small + "[folders]\ncontrol = \"К\"\n", nil, []string{"folders.control"}},
		"database": {small, small + "[database]\nurl = \"sqlite:other.db\"\n", nil, []string{"database.url"}},
		"server":   {small, strings.Replace(small, "imaps://mail", "imap://mail", 1), nil, []string{"servers.corp.imap"}},
		"renamed": {small, strings.Replace(small, "servers.corp", `servers."c.orp"`, 1), nil,
			[]string{"managers[ivanova@firma.example].server", `servers."c.orp"`, "servers.corp"}},
		"host":         {small, small + hosts, []string{"hosts[mail.firma.example]"}, nil},
		"host gone":    {small + hosts, small, []string{"hosts[mail.firma.example]"}, nil},
		"host changed": {small + hosts, small + strings.Replace(hosts, "60", "90", 1), []string{"hosts[mail.firma.example].commands_per_minute"}, nil},
		"domains":      {small, small + "[company]\ndomains = [\"firma.example\"]\n", nil, []string{"company.domains"}},
		"zone":         {small, "timezone = \"Asia/Omsk\"\n" + small, nil, []string{"managers[ivanova@firma.example].timezone", "timezone"}},
	} {
		reloadable, restart := Changes(mustLoad(t, c.before, nil, env), mustLoad(t, c.after, nil, env))
		if !reflect.DeepEqual(reloadable, c.reloadable) || !reflect.DeepEqual(restart, c.restart) {
			t.Errorf("%s: got %v and %v", name, reloadable, restart)
		}
	}
}

func TestDefaultDiffersFromItselfInNothing(t *testing.T) {
	t.Parallel()
	if a, b := Changes(Default(), Default()); len(a)+len(b) > 0 {
		t.Errorf("%v %v", a, b)
	}
}
