package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
	"unicode"

	"kontrol/models"
)

const (
	commandLimit = 10 * time.Second // for a password_command to answer
	secretCap    = 64 << 10         // octets of a secret file or of a command's output that are looked at
	stderrCap    = 300              // octets of a command's complaint that are shown
)

// SecretFunc returns a secret as it is now: files are read and commands run each time, so that a changed password works
// without a restart. Its errors can be told to a person and never hold the secret; those that may go away by themselves
// are temporary.
type SecretFunc func(ctx context.Context) (string, error)

// Secret is how a mailbox is logged in to: by a password from exactly one of four places, or by OAuth2.
type Secret struct {
	Auth            Auth    `toml:"auth"` // filled in by Load
	PasswordFile    string  `toml:"password_file"`
	PasswordEnv     string  `toml:"password_env"`
	PasswordCommand Command `toml:"password_command"`
	Password        Hidden  `toml:"password"`      // allowed, and warned about
	TokenCommand    Command `toml:"token_command"` // prints an access token for OAuth2
}

func (s Secret) given() bool {
	return s.Auth != "" || len(s.TokenCommand) > 0 || s.PasswordFile != "" || s.PasswordEnv != "" || len(s.PasswordCommand) > 0 || s.Password.text != nil
}

// Command is a program with its arguments. In the config it is a list, or one string, which is given to sh -c.
type Command []string

func (c *Command) fromTOML(v any) models.Phrase {
	wrong := models.Say("config.want_command")
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) == "" {
			return wrong
		}
		*c = Command{"sh", "-c", v}
		return models.Phrase{}
	case []any:
		for _, a := range v {
			s, ok := a.(string)
			if !ok {
				return wrong
			}
			*c = append(*c, s)
		}
	}
	if len(*c) == 0 || (*c)[0] == "" {
		return wrong
	}
	return models.Phrase{}
}

func (c Command) shown() string {
	if len(c) == 0 {
		return ""
	}
	return c[0] + " …" // arguments may be telling
}

func (c Command) raw() string { return strings.Join(c, "\x00") }

func secretKeys() []string {
	return []string{"password_file", "password_env", "password_command", "password"}
}

// source checks that a secret has one source, and that the source is there. keys are the names of its four sources in the
// order of Secret. missing is what to say when there is none; the zero phrase when there need not be one.
func (c *checker) source(path string, keys []string, s Secret, missing models.Phrase) {
	var given []string
	for _, k := range keys {
		if k != "" && c.doc.has(joinKey(path, k)) {
			given = append(given, k)
		}
	}
	for _, k := range keys {
		if k != "" && c.isFailed(joinKey(path, k)) {
			return
		}
	}
	switch {
	case len(given) == 0:
		if !missing.IsZero() {
			c.add(joinKey(path, keys[0]), missing)
		}
	case len(given) > 1:
		c.add(joinKey(path, given[1]), models.Say("config.secret_two", "Keys", given))
	case c.offline && (given[0] != keys[0] || s.PasswordFile != ""):
	case given[0] == keys[0]:
		c.secretFile(joinKey(path, given[0]), s.PasswordFile)
	case given[0] == keys[1]:
		if s.PasswordEnv == "" || c.cfg.env(s.PasswordEnv) == "" {
			c.add(joinKey(path, given[0]), models.Say("config.secret_env", "Name", s.PasswordEnv))
		}
	case given[0] == keys[2]:
		if !c.cfg.runnable(s.PasswordCommand[0]) {
			c.add(joinKey(path, given[0]), models.Say("config.secret_program", "Name", s.PasswordCommand[0]))
		}
	case s.Password.Reveal() == "":
		c.add(joinKey(path, given[0]), models.Say("config.secret_empty"))
	}
}

func (c *Config) runnable(program string) bool {
	if strings.ContainsRune(program, '/') {
		program = c.abs(program)
	}
	_, err := exec.LookPath(program)
	return err == nil
}

func (c *checker) secretFile(path, file string) {
	if file == "" {
		c.add(path, models.Say("config.secret_missing"))
		return
	}
	info, err := os.Stat(c.cfg.abs(file))
	if err != nil {
		c.add(path, unreadable(file, err))
		return
	}
	if _, err := readSecret(c.cfg.abs(file)); err != nil {
		c.add(path, unreadable(file, err))
		return
	}
	if open(info) {
		c.warn(models.Say("config.secret_open", "Place", c.place(path), "File", file))
	}
}

// open reports whether other users of the machine can read the file, or change it. Windows keeps this elsewhere.
func open(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o026 != 0
}

var (
	errEmpty   = errors.New("it is empty")
	errLines   = errors.New("it has more than one line")
	errRegular = errors.New("it is not an ordinary file")
)

// unreadable says why a file named in the config cannot be used.
func unreadable(file string, err error) models.Phrase {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return models.Say("config.file_missing", "File", file)
	case errors.Is(err, fs.ErrPermission):
		return models.Say("config.file_denied", "File", file)
	case errors.Is(err, errEmpty):
		return models.Say("config.file_empty", "File", file)
	case errors.Is(err, errLines):
		return models.Say("config.file_lines", "File", file)
	case errors.Is(err, errRegular):
		return models.Say("config.file_regular", "File", file)
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return models.Say("config.file_error", "File", file, "Detail", err.Error())
}

// readSecret reads a secret from a file: one line, whose end does not count.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", errRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, secretCap))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", errEmpty
	}
	if strings.ContainsAny(text, "\r\n\x00") {
		return "", errLines
	}
	return text, nil
}

// secretFunc returns what gets the password of the mailbox with the given address.
func (c *Config) secretFunc(address string, s Secret) SecretFunc {
	told := func(p models.Phrase, err error) (string, error) {
		of := models.Say("config.secret_of", "Address", address, "What", p)
		if address == "" {
			of = models.Say("config.secret_of_database", "What", p)
		}
		return "", &models.Told{Phrase: of, Err: err}
	}
	switch {
	case s.PasswordFile != "":
		return func(context.Context) (string, error) {
			text, err := readSecret(c.abs(s.PasswordFile))
			if err != nil {
				err = fmt.Errorf("secret file %s: %w", s.PasswordFile, err)
				return told(unreadable(s.PasswordFile, err), models.Temporary(err))
			}
			return text, nil
		}
	case s.PasswordEnv != "":
		return func(context.Context) (string, error) {
			if text := c.env(s.PasswordEnv); text != "" {
				return text, nil
			}
			return told(models.Say("config.secret_env", "Name", s.PasswordEnv),
				fmt.Errorf("environment variable %s is not set", s.PasswordEnv))
		}
	case len(s.PasswordCommand) > 0:
		return func(ctx context.Context) (string, error) {
			text, err := runSecret(ctx, s.PasswordCommand, c.dir, commandLimit)
			if err != nil {
				return told(models.Say("config.secret_command", "Detail", err.Error()),
					models.Temporary(fmt.Errorf("password command: %w", err)))
			}
			return text, nil
		}
	case s.Password.Reveal() != "":
		return func(context.Context) (string, error) { return s.Password.Reveal(), nil }
	}
	return func(context.Context) (string, error) {
		return told(models.Say("config.secret_missing"), errors.New("no password is configured"))
	}
}

// runSecret runs a command and returns the first line that it prints. The error ends with the end of what the command
// complains of, without the secret should it be in there.
func runSecret(ctx context.Context, command Command, dir string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes open
	out, complaint := &capped{left: secretCap}, &capped{left: secretCap}
	cmd.Stdout, cmd.Stderr = out, complaint
	err := cmd.Run()
	text, _, _ := strings.Cut(out.String(), "\n")
	text = strings.TrimSuffix(text, "\r")
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("no answer within %v: %w", limit, ctx.Err())
	case err == nil && text == "":
		err = errors.New("it printed nothing")
	case err == nil && strings.ContainsRune(text, 0):
		err = errors.New("it printed a NUL")
	case err == nil:
		return text, nil
	}
	if t := tail(complaint.String(), out.String()); t != "" {
		err = fmt.Errorf("%w: %s", err, t)
	}
	return "", err
}

// tail returns the end of a complaint as one clean line, with every line of secrets masked.
func tail(complaint, secrets string) string {
	for _, s := range strings.Fields(secrets) {
		complaint = strings.ReplaceAll(complaint, s, masked)
	}
	clean := strings.Join(strings.FieldsFunc(complaint, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(clean) > stderrCap {
		clean = "…" + strings.ToValidUTF8(clean[len(clean)-stderrCap:], "")
	}
	return strings.ToValidUTF8(clean, "?")
}

// capped keeps the first octets that are written to it and swallows the rest.
type capped struct {
	bytes.Buffer
	left int
}

// Write never fails: a command that prints too much is let finish.
func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	c.Buffer.Write(p[:n])
	return len(p), nil
}
