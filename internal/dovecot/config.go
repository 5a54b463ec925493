package dovecot

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"strings"
	"text/template"

	"kontrol/internal/ward"
)

//go:embed *.conf
var configs embed.FS

// settings are the values that the configuration templates take.
type settings struct {
	Options
	Dir               string
	Account           ward.Account
	Password          string
	IMAP, IMAPS, LMTP int
}

// config writes the configuration for the version of Dovecot that is installed.
func config(ctx context.Context, s *Server, o Options, ports []int) ([]byte, error) {
	account, err := ward.AccountToUse()
	if err != nil {
		return nil, err
	}
	version, err := ward.Run(ctx, s.Dir, s.binary, "--version")
	if err != nil {
		return nil, err
	}
	if o.Separator == "" {
		o.Separator = "/"
	}
	if o.Storage == "" {
		o.Storage = "maildir"
	}
	if o.MaxConn == 0 {
		o.MaxConn = 100
	}
	name := "2.4.conf"
	if strings.HasPrefix(version, "2.3.") {
		name = "2.3.conf"
	}
	tmpl, err := template.ParseFS(configs, name)
	if err != nil {
		return nil, fmt.Errorf("read the configuration template: %w", err)
	}
	var b bytes.Buffer
	err = tmpl.Execute(&b, settings{
		Options: o, Dir: s.Dir, Account: account, Password: s.Password, IMAP: ports[0], IMAPS: ports[1], LMTP: ports[2],
	})
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), nil
}
