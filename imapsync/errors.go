package imapsync

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kontrol/models"
)

// phrase names the mailbox in a text for people; every text of this package has Address and Server.
func (a Account) phrase(key string, pairs ...any) models.Phrase {
	return models.Say("imap."+key, append(pairs, "Address", a.Address, "Server", a.server())...)
}

func (a Account) server() string {
	_, rest, ok := strings.Cut(a.URL, "://")
	if !ok {
		return a.URL
	}
	return strings.TrimSuffix(rest, "/")
}

// told makes an error that can be told to a person and is as temporary as err is.
func (a Account) told(key string, err error, pairs ...any) error {
	return &models.Told{Phrase: a.phrase(key, pairs...), Err: err}
}

// toldTemporary makes a temporary one.
func (a Account) toldTemporary(key string, err error, pairs ...any) error {
	return a.told(key, models.Temporary(err), pairs...)
}

// stopped makes the error of a command or a login that we gave up ourselves.
func (a Account) stopped(err error) error {
	return a.toldTemporary("lost", err, "Words", shortCause(err))
}

// dialError explains why there is no TCP connection.
func (a Account) dialError(p place, err error) error {
	err = fmt.Errorf("connect to %s: %w", p.addr, err)
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return a.stopped(err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return a.toldTemporary("no_host", err, "Host", p.host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return a.toldTemporary("refused", err)
	case isTimeout(err):
		return a.toldTemporary("timeout", err)
	}
	return a.toldTemporary("unreachable", err, "Words", shortCause(err))
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		(errors.As(err, &n) && n.Timeout())
}

// shortCause is the innermost text of an error, as a person may read it.
func shortCause(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, ": "); i >= 0 {
		s = s[i+2:]
	}
	return cleanText([]byte(s))
}

// tlsError explains why TLS did not come about.
func (a Account) tlsError(p place, name string, err error) error {
	err = fmt.Errorf("tls with %s: %w", p.addr, err)
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return a.stopped(err)
	case errors.As(err, &authority):
		return a.told("tls_unknown_ca", err)
	case errors.As(err, &host):
		return a.told("tls_wrong_name", err, "Name", name)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return a.toldTemporary("tls_expired", err)
	case errors.As(err, &invalid):
		return a.told("tls_failed", err, "Words", shortCause(err))
	case errors.As(err, &record):
		return a.told("tls_none", err)
	case isTimeout(err):
		return a.toldTemporary("silent", err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return a.toldTemporary("tls_failed", err, "Words", shortCause(err))
	}
	return a.told("tls_failed", err, "Words", shortCause(err))
}

// clearError explains why the conversation before STARTTLS broke off.
func (a Account) clearError(p place, err error) error {
	err = fmt.Errorf("starttls with %s: %w", p.addr, err)
	switch {
	case errors.Is(err, errNotIMAP), errors.Is(err, errClear):
		return a.told("not_imap", err)
	case isTimeout(err): // a port where TLS is expected at once says nothing
		return a.toldTemporary("tls_expected", err)
	}
	return a.toldTemporary("unreachable", err, "Words", shortCause(err))
}

// refusal sorts a server's NO, BAD or BYE to greeting, STARTTLS or login. Only what clearly concerns name or password is a
// LoginError; the rest is worth trying again.
func (a Account) refusal(command string, s statusText) error {
	err := &StatusError{Command: command, Code: s.code, Text: s.text}
	busy := a.toldTemporary("busy", withWords(err, s), "Words", s.words())
	if command != "login" {
		return busy
	}
	switch s.code {
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED":
		return a.loginRefused(err, s)
	case "UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG", "OVERQUOTA", "CONTACTADMIN":
		return busy
	case "PRIVACYREQUIRED":
		return a.told("login_disabled", err)
	}
	if busyWords.MatchString(s.text) || troubleOf(s).limit {
		return busy
	}
	return a.loginRefused(err, s)
}

// provenCode reports whether a response code says that it is name or password that the server does not accept. See RFC
// 5530 section 3.
func provenCode(code string) bool {
	return code == "AUTHENTICATIONFAILED" || code == "AUTHORIZATIONFAILED" || code == "EXPIRED"
}

func (a Account) loginRefused(err error, s statusText) error {
	return &LoginError{Address: a.Address, Proven: provenCode(s.code), Err: a.told("login_refused", err, "Words", s.words())}
}

// busyWords are what servers say when the name and password are not the matter.
var busyWords = regexp.MustCompile(`(?i)too many|limit|exceeded|throttl|back-?off|unavailable|temporar|try again|` +
	`connections|internal error|not connected|maintenance|overload|попробуйте|повторите|временно|перегруж|недоступ|техническ`)

// saidError carries the server's words and how long it asks to be left alone.
type saidError struct {
	error
	said  statusText
	pause time.Duration
}

func (e saidError) Unwrap() error { return e.error }

// saidIn returns the server's words that an error came of.
func saidIn(err error) (statusText, bool) {
	var said saidError
	if errors.As(err, &said) {
		return said.said, true
	}
	var refused *StatusError
	if errors.As(err, &refused) {
		return statusText{code: refused.Code, text: refused.Text}, true
	}
	return statusText{}, false
}

// pauseWords are the ways of servers to name a pause: Microsoft's, and what others say in passing.
var pauseWords = regexp.MustCompile(`(?i)(?:back-?off time:?|(?:re)?try (?:again )?(?:after|in)|wait|через|подождите)\s*(\d{1,9})\s*` +
	`(milliseconds|ms|мс|seconds?|secs?|s|сек\p{L}*|с|minutes?|mins?|m|мин\p{L}*|hours?|h|час\p{L}*)?(?:[^\p{L}\d]|$)`)

// withWords notes the server's words, and the pause that they ask for.
func withWords(err error, s statusText) error { return saidError{err, s, pauseIn(s.text)} }

// pauseIn reads how long the server wants to be left alone, at most an hour; 0 when it does not say. A number without a
// unit is Microsoft's and counts milliseconds.
func pauseIn(words string) time.Duration {
	m := pauseWords.FindStringSubmatch(words)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	unit := time.Millisecond
	switch u := strings.ToLower(m[2]); {
	case u == "", u == "ms", u == "мс", strings.HasPrefix(u, "milli"):
	case u[0] == 's', strings.HasPrefix(u, "с"):
		unit = time.Second
	case u[0] == 'm', strings.HasPrefix(u, "мин"):
		unit = time.Minute
	default:
		unit = time.Hour
	}
	return min(time.Duration(min(n, 3_600_000))*unit, time.Hour)
}

// RetryAfter returns how long the server asked to be left alone, at most an hour; 0 when it did not say.
func RetryAfter(err error) time.Duration {
	var p saidError
	if errors.As(err, &p) {
		return p.pause
	}
	return 0
}
