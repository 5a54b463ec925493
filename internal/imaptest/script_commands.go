package imaptest

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// read takes in one command with its literals.
func (c *scriptConn) read() (*Turn, error) {
	t := &Turn{Server: c.s, conn: c}
	var line strings.Builder
	for {
		part, err := c.br.ReadString('\n')
		if err != nil {
			return nil, err
		}
		part = strings.TrimRight(part, "\r\n")
		n, sync, ok := literalAt(part)
		if !ok {
			line.WriteString(part)
			t.Args = append(t.Args, words(part)...)
			break
		}
		line.WriteString(part)
		t.Args = append(t.Args, words(part[:strings.LastIndexByte(part, '{')])...)
		if sync {
			if !c.mayAppend(t.Args) {
				t.Args = append(t.Args, "")
				break
			}
			c.printf("+ go on\r\n")
		}
		b := make([]byte, min(n, 64<<20))
		if _, err := io.ReadFull(c.br, b); err != nil {
			return nil, err
		}
		t.Args = append(t.Args, string(b))
	}
	t.Tag, t.Line, _ = strings.Cut(line.String(), " ")
	if len(t.Args) > 0 {
		t.Args = t.Args[1:]
	}
	return t, nil
}

// mayAppend reports whether the literal of an APPEND is welcome; real servers refuse before it is sent.
func (c *scriptConn) mayAppend(args []string) bool {
	if len(args) < 3 || !strings.EqualFold(args[1], "APPEND") {
		return true
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	b := c.s.boxes[args[2]]
	return b != nil && !b.full
}

func literalAt(s string) (n int, sync, ok bool) {
	i := strings.LastIndexByte(s, '{')
	if i < 0 || !strings.HasSuffix(s, "}") {
		return 0, false, false
	}
	d := s[i+1 : len(s)-1]
	sync = !strings.HasSuffix(d, "+")
	n, err := strconv.Atoi(strings.TrimSuffix(d, "+"))
	return n, sync, err == nil
}

// words splits at blanks; quoted strings lose their marks, parenthesised lists stay in one piece.
func words(s string) []string {
	var list []string
	var w strings.Builder
	depth, has := 0, false
	flush := func() {
		if has {
			list = append(list, w.String())
		}
		w.Reset()
		has = false
	}
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '"' && depth == 0:
			has = true
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				w.WriteByte(s[i])
			}
		case ch == ' ' && depth == 0:
			flush()
		default:
			if ch == '(' || ch == '[' {
				depth++
			} else if ch == ')' || ch == ']' {
				depth--
			}
			has = true
			w.WriteByte(ch)
		}
	}
	flush()
	return list
}

func (t *Turn) arg(i int) string {
	if i < len(t.Args) {
		return t.Args[i]
	}
	return ""
}

func (t *Turn) ok(text string) { t.Printf("%s OK %s\r\n", t.Tag, text) }

// no refuses; a profile without codes loses the code.
func (t *Turn) no(code, text string) {
	if code != "" && !t.Server.profile.Codeless {
		text = "[" + code + "] " + text
	}
	t.Printf("%s NO %s\r\n", t.Tag, text)
}

func (c *scriptConn) carryOut(t *Turn) {
	p := c.s.profile
	name := strings.ToUpper(t.arg(0))
	switch name {
	case "CAPABILITY":
		t.Printf("* CAPABILITY %s\r\n", p.Caps)
		t.ok("done")
	case "NOOP":
		c.update()
		t.ok("done")
	case "LOGOUT":
		t.Printf("* BYE bye\r\n")
		t.ok("done")
		t.Close()
	case "STARTTLS":
		t.ok("begin")
		c.s.mu.Lock()
		c.net = tls.Server(c.net, p.TLS)
		c.s.mu.Unlock()
		c.br.Reset(c.net)
	case "LOGIN":
		c.login(t, t.arg(1), t.arg(2))
	case "AUTHENTICATE":
		c.authenticate(t)
	case "NAMESPACE":
		t.Printf("* NAMESPACE ((\"\" %s)) NIL NIL\r\n", p.delimiter())
		t.ok("done")
	case "LIST", "XLIST":
		c.list(t, name)
	case "CREATE":
		c.create(t)
	case "DELETE", "RENAME":
		c.rename(t, name == "DELETE")
	case "SUBSCRIBE":
		c.s.mu.Lock()
		c.s.subs[t.arg(1)] = true
		c.s.mu.Unlock()
		t.ok("done")
	case "STATUS":
		c.status(t)
	case "SELECT", "EXAMINE":
		c.choose(t, name == "EXAMINE")
	case "APPEND":
		c.append(t)
	case "IDLE":
		c.idle(t)
	case "UID", "EXPUNGE":
		c.onLetters(t)
	default:
		t.Printf("%s BAD unknown command\r\n", t.Tag)
	}
}

func (p Profile) delimiter() string {
	if p.Delimiter == "" {
		return "NIL"
	}
	return `"` + p.Delimiter + `"`
}

func (p Profile) has(c string) bool { return slices.Contains(strings.Fields(p.Caps), c) }

func (c *scriptConn) login(t *Turn, user, password string) {
	p := c.s.profile
	if p.Username != "" && (user != p.Username || password != p.Password) {
		t.no("AUTHENTICATIONFAILED", "LOGIN failed")
		return
	}
	c.loggedIn = true
	t.ok("welcome")
}

func (c *scriptConn) authenticate(t *Turn) {
	answer := func(challenge string) string {
		t.Printf("+ %s\r\n", base64.StdEncoding.EncodeToString([]byte(challenge)))
		b, _ := base64.StdEncoding.DecodeString(t.ReadLine())
		return string(b)
	}
	switch strings.ToUpper(t.arg(1)) {
	case "PLAIN":
		var raw []byte
		if t.arg(2) != "" {
			raw, _ = base64.StdEncoding.DecodeString(t.arg(2))
		} else {
			raw = []byte(answer(""))
		}
		if w := bytes.Split(raw, []byte{0}); len(w) == 3 {
			c.login(t, string(w[1]), string(w[2]))
			return
		}
		t.no("AUTHENTICATIONFAILED", "malformed")
	case "LOGIN":
		user := answer("User Name\x00")
		c.login(t, user, answer("Password\x00"))
	default:
		t.no("CANNOT", "unknown mechanism")
	}
}

func (c *scriptConn) list(t *Turn, name string) {
	p := c.s.profile
	if name == "XLIST" && !p.has("XLIST") {
		t.Printf("%s BAD unknown command\r\n", t.Tag)
		return
	}
	c.s.mu.Lock()
	var lines []string
	for wire := range c.s.boxes {
		attrs := `\HasNoChildren`
		shown := wire
		if name == "XLIST" || p.has("SPECIAL-USE") {
			for _, a := range p.Attrs {
				if EncodeName(a[0]) == wire {
					attrs += " " + a[1]
				}
			}
			if name == "XLIST" && wire == "INBOX" {
				attrs, shown = attrs+` \Inbox`, EncodeName("Входящие")
			}
		}
		lines = append(lines, fmt.Sprintf("* %s (%s) %s \"%s\"\r\n", name, attrs, p.delimiter(), shown))
	}
	c.s.mu.Unlock()
	slices.Sort(lines)
	t.Printf("%s", strings.Join(lines, ""))
	t.ok("done")
}

func (c *scriptConn) create(t *Turn) {
	name := t.arg(1)
	c.s.mu.Lock()
	exists := c.s.boxes[name] != nil
	if !exists {
		c.s.makeLocked(name)
	}
	c.s.mu.Unlock()
	if exists {
		t.no("ALREADYEXISTS", "exists")
		return
	}
	t.ok("done")
}

// rename renames a folder or takes it away. Whoever has it selected sees it empty from then on, as on some real servers.
func (c *scriptConn) rename(t *Turn, remove bool) {
	c.s.mu.Lock()
	b := c.s.boxes[t.arg(1)]
	delete(c.s.boxes, t.arg(1))
	if b != nil && !remove {
		c.s.boxes[t.arg(2)] = b
	}
	c.s.tellLocked()
	c.s.mu.Unlock()
	if b == nil {
		t.no("NONEXISTENT", "no such folder")
		return
	}
	t.ok("done")
}

func (c *scriptConn) status(t *Turn) {
	c.s.mu.Lock()
	b := c.s.boxes[t.arg(1)]
	line := ""
	if b != nil {
		line = fmt.Sprintf("* STATUS \"%s\" (MESSAGES %d UIDNEXT %d UIDVALIDITY %d)\r\n", t.arg(1), len(b.letters), b.next, b.validity)
	}
	c.s.mu.Unlock()
	if b == nil {
		t.no("NONEXISTENT", "no such folder")
		return
	}
	t.Printf("%s", line)
	t.ok("done")
}

func (c *scriptConn) choose(t *Turn, readOnly bool) {
	c.s.mu.Lock()
	b := c.s.boxes[t.arg(1)]
	if b == nil {
		c.s.mu.Unlock()
		c.selected = ""
		t.no("NONEXISTENT", "no such folder")
		return
	}
	c.selected, c.readOnly, c.known, c.flags = t.arg(1), readOnly || b.readOnly, uidsOf(b), flagsOf(b)
	next := ""
	if !c.s.profile.NoUIDNext {
		next = fmt.Sprintf("* OK [UIDNEXT %d] next\r\n", b.next)
	}
	flags := `\Answered \Flagged \Deleted \Seen \Draft`
	permanent := flags
	if c.s.profile.Keywords {
		permanent += ` \*`
	}
	if b.readOnly {
		permanent = ""
	}
	text := fmt.Sprintf("* FLAGS (%s)\r\n* %d EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY %d] valid\r\n%s* OK [PERMANENTFLAGS (%s)] limited\r\n",
		flags, len(b.letters), b.validity, next, permanent)
	c.s.mu.Unlock()
	t.Printf("%s", text)
	if c.readOnly {
		t.ok("[READ-ONLY] done")
		return
	}
	t.ok("[READ-WRITE] done")
}

func uidsOf(b *box) []uint32 {
	list := make([]uint32, len(b.letters))
	for i, l := range b.letters {
		list[i] = l.UID
	}
	return list
}

func (c *scriptConn) append(t *Turn) {
	c.s.mu.Lock()
	b := c.s.boxes[t.arg(1)]
	if b == nil || b.full {
		c.s.mu.Unlock()
		if b == nil {
			t.no("TRYCREATE", "no such folder")
		} else {
			t.no("OVERQUOTA", "the mailbox is full")
		}
		return
	}
	var flags []string
	for _, a := range t.Args {
		if strings.HasPrefix(a, "(") {
			flags = strings.Fields(strings.Trim(a, "()"))
		}
	}
	uid := c.s.putLocked(b, []byte(t.Args[len(t.Args)-1]), flags, time.Now())
	code := fmt.Sprintf("[APPENDUID %d %d] ", b.validity, uid)
	c.s.mu.Unlock()
	if !c.s.profile.has("UIDPLUS") {
		code = ""
	}
	t.ok(code + "stored")
}

func (c *scriptConn) idle(t *Turn) {
	if c.s.profile.IdleBad || !c.s.profile.has("IDLE") {
		t.Printf("%s BAD [CLIENTBUG] Unrecognised command\r\n", t.Tag)
		return
	}
	t.Printf("+ idling\r\n")
	stop := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c.s.mu.Lock()
			changed := c.s.changed
			c.s.mu.Unlock()
			c.update()
			select {
			case <-changed:
			case <-stop:
				return
			}
		}
	}()
	line := t.ReadLine()
	close(stop)
	<-over
	if line == "" {
		t.Close()
		return
	}
	t.ok("idle done")
}

// update tells the client what has changed in its folder.
func (c *scriptConn) update() {
	c.s.mu.Lock()
	b := c.s.boxes[c.selected]
	if b == nil {
		c.s.mu.Unlock()
		return
	}
	now := uidsOf(b)
	var text strings.Builder
	for i := len(c.known) - 1; i >= 0; i-- {
		if !slices.Contains(now, c.known[i]) {
			fmt.Fprintf(&text, "* %d EXPUNGE\r\n", i+1)
			c.known = slices.Delete(c.known, i, i+1)
		}
	}
	if len(now) > len(c.known) {
		fmt.Fprintf(&text, "* %d EXISTS\r\n", len(now))
	}
	flags := flagsOf(b)
	for i, uid := range now {
		if before, told := c.flags[uid]; told && before != flags[uid] {
			fmt.Fprintf(&text, "* %d FETCH (FLAGS (%s))\r\n", i+1, flags[uid])
		}
	}
	c.known, c.flags = now, flags
	c.s.mu.Unlock()
	c.printf("%s", text.String())
}

func flagsOf(b *box) map[uint32]string {
	m := make(map[uint32]string, len(b.letters))
	for _, l := range b.letters {
		m[l.UID] = strings.Join(l.Flags, " ")
	}
	return m
}
