package imapsync

import (
	"context"
	"errors"
	"testing"
	"time"

	"kontrol/internal/dovecot"
	"kontrol/internal/imaptest"
	"kontrol/models"
)

// TestWordsOfLimits holds what servers say when there are too many connections, and what is not meant so.
func TestWordsOfLimits(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]trouble{
		"[LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)": {limit: true, account: true},
		"Maximum number of connections from user+IP exceeded":                                          {limit: true, account: true},
		"Too many open connections":                            {limit: true},
		"[ALERT] Too many simultaneous connections. (Failure)": {limit: true, account: true},
		"Too many connections from the same IP address":        {limit: true, host: true},
		"Maximum connections reached for your IP":              {limit: true, host: true},
		"User is authenticated but not connected.":             {limit: true, account: true},
		"[INUSE] Mailbox in use":                               {limit: true},
		"Connection limit exceeded for this user":              {limit: true, account: true},
		"Too many concurrent IMAP sessions":                    {limit: true},
		"Превышено число одновременных соединений с ящиком": {limit: true, account: true},
		"Слишком много подключений с вашего IP":             {limit: true, host: true},
		"Too many failed login attempts, try again later":   {},
		"Too many invalid commands": {},
		"Слишком много неудачных попыток входа":                           {},
		"[AUTHENTICATIONFAILED] Too many connections":                     {},
		"[UNAVAILABLE] Temporary authentication failure.":                 {},
		"Request is throttled. Suggested Backoff Time: 5000 milliseconds": {},
		"LOGIN failed.": {},
	} {
		if got := troubleOf(readStatus([]byte(words))); got != want {
			t.Errorf("%s: %+v, want %+v", words, got, want)
		}
	}
}

func TestWordsOfPauses(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]time.Duration{
		"Request is throttled. Suggested Backoff Time: 299967 milliseconds": 299967 * time.Millisecond,
		"Suggested Backoff Time: 4000":                                      4 * time.Second,
		"throttled, backoff time 30 seconds":                                30 * time.Second,
		"Server busy, try again in 5 minutes":                               5 * time.Minute,
		"Retry after 120 seconds":                                           2 * time.Minute,
		"try again in 2 h":                                                  time.Hour,
		"Слишком много соединений, повторите через 10 минут": 10 * time.Minute,
		"Подождите 30 сек.":                              30 * time.Second,
		"Suggested Backoff Time: 999999999 milliseconds": time.Hour,
		"Try again later":                                0,
		"Maximum number of connections exceeded (10)":    0,
		"wait for 5 apples":                              0,
	} {
		if got := pauseIn(words); got != want {
			t.Errorf("%s: %v, want %v", words, got, want)
		}
	}
}

// sharing returns the dialers of a mailbox's first and second connection.
func sharing(a Account, h *Hosts) (first, second Dialer) {
	a.Hosts = h
	b := a
	b.Second = true
	return NewDialer(a, nil, nil), NewDialer(b, nil, nil)
}

// waits dials and returns the first reason that it has to wait for; the dial is given up then.
func waits(t *testing.T, d Dialer) models.Phrase {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var why models.Phrase
	s, err := d.(*dialer).dialTelling(ctx, func(p models.Phrase) { why = p; cancel() })
	if err == nil {
		s.Close()
		t.Fatal("the server lets us in")
	}
	if !models.IsTemporary(err) || why.IsZero() {
		t.Fatalf("%v, waiting for %v", err, why)
	}
	return why
}

// TestServersLimitIsLearnt says the words at login, in a scripted server that allows one connection.
func TestServersLimitIsLearnt(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"Dovecot": "TAG NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=1)\r\n",
		"Cyrus":   "TAG NO Too many open connections\r\n",
		"Gmail":   "TAG NO [ALERT] Too many simultaneous connections. (Failure)\r\n",
		"refusal": "TAG NO LOGIN failed\r\n",
		"BYE":     "* BYE Maximum number of connections from user+IP exceeded\r\n",
		"Russian": "TAG NO Превышено число одновременных соединений\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := imaptest.Plain()
			p.Caps = "IMAP4rev1 IDLE"
			s := imaptest.NewScript(t, p)
			s.OnNth("LOGIN", 2, func(turn *imaptest.Turn) bool {
				imaptest.Answer(answer)(turn)
				if name == "BYE" {
					turn.Close()
				}
				return true
			})
			first, second := sharing(quick(account(s.URL())), NewHosts(HostsConfig{FirstRetry: time.Millisecond}))
			c, err := first.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := second.Dial(t.Context()); err == nil {
				t.Fatal("no error")
			}
			if why := waits(t, second); why.ID != "sync.one_connection" {
				t.Errorf("the second connection waits for %v", why)
			}
			c.Close()
			if c, err = first.Dial(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

// TestServersPauseIsHeeded: what Microsoft's servers ask for holds for both connections of the mailbox, and for no other.
func TestServersPauseIsHeeded(t *testing.T) {
	t.Parallel()
	p := imaptest.Plain()
	p.Caps = "IMAP4rev1 IDLE"
	s := imaptest.NewScript(t, p)
	s.Once("LOGIN", imaptest.Answer("TAG NO Request is throttled. Suggested Backoff Time: 600000 milliseconds\r\n"))
	h := NewHosts(HostsConfig{})
	first, second := sharing(quick(account(s.URL())), h)
	_, err := first.Dial(t.Context())
	if RetryAfter(err) != 10*time.Minute {
		t.Errorf("%v: pause %v", err, RetryAfter(err))
	}
	for _, d := range []Dialer{first, second} {
		if why := waits(t, d); why.ID != "sync.waits_pause" || why.Args["At"].(time.Time).Before(time.Now().Add(9*time.Minute)) {
			t.Errorf("waits for %v", why)
		}
	}
	other, err := h.acquire(t.Context(), s.Addr(), "somebody else", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	other.release()
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestServersPauseDuringWork: the same words in answer to a command hold up the next one.
func TestServersPauseDuringWork(t *testing.T) {
	t.Parallel()
	p := imaptest.Plain()
	s := imaptest.NewScript(t, p)
	s.Once("SELECT", imaptest.Answer("TAG NO Request is throttled. Suggested Backoff Time: 300 milliseconds\r\n"))
	s.OnNth("SELECT", 3, imaptest.Answer("TAG NO Request is throttled. Suggested Backoff Time: 900000 milliseconds\r\n"))
	first, second := sharing(quick(account(s.URL())), NewHosts(HostsConfig{}))
	c, err := first.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begin := time.Now()
	_, err = c.Select(t.Context(), "INBOX", false)
	var refused *StatusError
	if !errors.As(err, &refused) || c.Dead() {
		t.Fatalf("%v", err)
	}
	if _, err := c.Select(t.Context(), "INBOX", false); err != nil || time.Since(begin) < 300*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	if _, err := c.Select(t.Context(), "INBOX", false); !errors.As(err, &refused) {
		t.Fatalf("%v", err)
	}
	if _, err := c.Select(t.Context(), "INBOX", false); RetryAfter(err) < 10*time.Minute || !c.Dead() {
		t.Errorf("%v, dead %v", err, c.Dead())
	}
	if why := waits(t, second); why.ID != "sync.waits_pause" {
		t.Errorf("waits for %v", why)
	}
}

// TestHostThatIsGoneIsTriedByOne: after one refused connection the others wait, and say so.
func TestHostThatIsGoneIsTriedByOne(t *testing.T) {
	t.Parallel()
	s := imaptest.NewScript(t, imaptest.Plain())
	url := s.URL()
	s.Close()
	h := NewHosts(HostsConfig{})
	first, _ := sharing(quick(account(url)), h)
	_, err := first.Dial(t.Context())
	var hosts governed
	if phraseOf(t, err) != "imap.refused" || !errors.As(err, &hosts) || !models.IsTemporary(err) {
		t.Errorf("%v", err)
	}
	other := quick(account(url))
	other.Username = "boris"
	first, _ = sharing(other, h)
	if why := waits(t, first); why.ID != "sync.waits_host" {
		t.Errorf("waits for %v", why)
	}
}

// TestDovecotSecondConnectionStepsAside: the limit is learnt from the real server, the mailbox keeps its first connection, and an
// idling second one steps aside for a first one that finds no room.
func TestDovecotSecondConnectionStepsAside(t *testing.T) {
	t.Parallel()
	srv := dovecot.Test(t, dovecot.Options{MaxConn: 1})
	a := Account{Address: "ivan@example.ru", Username: "ivan", URL: "imaps://" + srv.IMAPSAddr, CAFile: srv.CAFile,
		Secret: func(context.Context) (string, error) { return srv.Password, nil }}
	first, second := sharing(a, NewHosts(HostsConfig{FirstRetry: time.Millisecond}))
	s, err := second.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Dial(t.Context()); phraseOf(t, err) != "imap.busy" {
		t.Fatalf("%v", err)
	}
	if _, err := s.Select(t.Context(), "INBOX", true); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Idle(t.Context(), time.Minute, nil)
		s.Close()
		ended <- err
	}()
	begin := time.Now()
	c, err := first.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-ended; !errors.Is(err, errAside) {
		t.Errorf("the second connection ended with %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the first connection took %v", took)
	}
	if why := waits(t, second); why.ID != "sync.one_connection" {
		t.Errorf("the second connection waits for %v", why)
	}
}
