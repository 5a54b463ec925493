package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"golang.org/x/text/encoding/htmlindex"

	"kontrol/internal/bench/letters"
)

// The peer go-imap: the library as its documentation shows it ("plain"), and with everything that can be done from
// outside it ("tuned": a large read buffer and no deadline for every answer).

// bufferedConn reads through a large buffer and swallows the deadline that the library sets for each answer.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error)      { return c.r.Read(p) }
func (c *bufferedConn) SetReadDeadline(time.Time) error { return nil }

// readCharset is what decodes words of other charsets.
func readCharset(name string, in io.Reader) (io.Reader, error) {
	enc, err := htmlindex.Get(name)
	if err != nil {
		return nil, err
	}
	return enc.NewDecoder().Reader(in), nil
}

func (c *child) goimap(ctx context.Context, h *imapclient.UnilateralDataHandler) (*imapclient.Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.IMAP)
	if err != nil {
		return nil, err
	}
	if c.Tuned {
		conn = &bufferedConn{conn, bufio.NewReaderSize(conn, 64<<10)}
	}
	client := imapclient.New(conn, &imapclient.Options{
		WordDecoder: &mime.WordDecoder{CharsetReader: readCharset}, UnilateralDataHandler: h,
	})
	return client, client.Login(c.User, c.Password).Wait()
}

// record is what a triage keeps of a letter.
type record struct {
	uid           uint32
	flags         string
	from, subject string
	refs          []string
}

var references = &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"References"}, Peek: true}

func envelopeOptions() *imap.FetchOptions {
	return &imap.FetchOptions{
		UID: true, Flags: true, InternalDate: true, Envelope: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
		BodySection: []*imap.FetchItemBodySection{references},
	}
}

// eachRecord runs through the answer to a FETCH.
func eachRecord(cmd *imapclient.FetchCommand, each func(record)) error {
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		var r record
		for item := msg.Next(); item != nil; item = msg.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				r.uid = uint32(item.UID)
			case imapclient.FetchItemDataFlags:
				r.flags = joinFlags(item.Flags)
			case imapclient.FetchItemDataEnvelope:
				r.subject = item.Envelope.Subject
				if len(item.Envelope.From) > 0 {
					r.from = item.Envelope.From[0].Addr()
				}
			case imapclient.FetchItemDataBodySection:
				if item.Literal == nil {
					continue
				}
				text, err := io.ReadAll(item.Literal)
				if err != nil {
					return errors.Join(err, cmd.Close())
				}
				r.refs = letters.SplitIDs(string(text))
			}
		}
		each(r)
	}
	return cmd.Close()
}

// joinFlags is cheaper to compare than a list; a server gives flags in a fixed order.
func joinFlags(list []imap.Flag) string {
	s := make([]string, len(list))
	for i, f := range list {
		s[i] = string(f)
	}
	return strings.Join(s, " ")
}

func goimapFetch(ctx context.Context, c *child) error {
	return c.timed("fetch", func() error {
		client, err := c.goimap(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		sel, err := client.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			return err
		}
		var all imap.SeqSet
		all.AddRange(1, sel.NumMessages)
		return eachRecord(client.Fetch(all, envelopeOptions()), func(record) { c.out.Count++ })
	})
}

func goimapTriage(ctx context.Context, c *child) error {
	client, err := c.goimap(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	var todo [2]imap.UIDSet
	err = c.timed("fetch", func() error {
		sel, err := client.Select("INBOX", nil).Wait()
		if err != nil {
			return err
		}
		matcher := letters.NewMatcher()
		var all imap.SeqSet
		all.AddRange(1, sel.NumMessages)
		return eachRecord(client.Fetch(all, envelopeOptions()), func(r record) {
			if f, ok := matcher.Match(r.from, r.subject, r.refs); ok {
				todo[f].AddNum(imap.UID(r.uid))
				c.out.Count++
			}
		})
	})
	if err != nil {
		return err
	}
	return c.timed("move", func() error { return goimapMove(client, todo) })
}

func goimapMove(client *imapclient.Client, todo [2]imap.UIDSet) error {
	var moves []*imapclient.MoveCommand
	for f, uids := range todo {
		if len(uids) > 0 {
			moves = append(moves, client.Move(uids, letters.Folders()[f]))
		}
	}
	for _, m := range moves {
		if _, err := m.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// goimapState is what the peer's delta starts from.
type goimapState struct {
	UIDNext uint32
	ModSeq  uint64
	Flags   map[uint32]string
}

func (c *child) goimapStateFile() string { return filepath.Join(c.State, "goimap.json") }

// goimapDelta asks for changed flags and new letters; with Text -1 it is the preparation that notes what there is.
func goimapDelta(ctx context.Context, c *child) error {
	st := goimapState{Flags: map[uint32]string{}}
	if c.Text >= 0 {
		text, err := os.ReadFile(c.goimapStateFile())
		if err == nil {
			err = json.Unmarshal(text, &st)
		}
		if err != nil {
			return fmt.Errorf("read what was there before: %w", err)
		}
	}
	return c.timed("delta", func() error {
		client, err := c.goimap(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		sel, err := client.Select("INBOX", &imap.SelectOptions{CondStore: !c.NoCond}).Wait()
		if err != nil {
			return err
		}
		o := &imap.FetchOptions{UID: true, Flags: true}
		if c.Text < 0 {
			err := eachRecord(client.Fetch(uidRange(1, 0), o), func(r record) { st.Flags[r.uid] = r.flags })
			if err != nil {
				return err
			}
			st.UIDNext, st.ModSeq = uint32(sel.UIDNext), sel.HighestModSeq
			text, err := json.Marshal(st)
			if err != nil {
				return err
			}
			return os.WriteFile(c.goimapStateFile(), text, 0o600)
		}
		if !c.NoCond {
			o.ChangedSince = st.ModSeq
		}
		return c.goimapNews(client, st, o)
	})
}

func uidRange(first, last uint32) imap.UIDSet {
	var s imap.UIDSet
	s.AddRange(imap.UID(first), imap.UID(last))
	return s
}

// goimapNews reads both answers at the same time: the library waits for whoever does not read.
func (c *child) goimapNews(client *imapclient.Client, st goimapState, o *imap.FetchOptions) error {
	old := client.Fetch(uidRange(1, st.UIDNext-1), o)
	fresh := client.Fetch(uidRange(st.UIDNext, 0), envelopeOptions())
	done := make(chan error, 1)
	changed := 0
	go func() {
		done <- eachRecord(old, func(r record) {
			if st.Flags[r.uid] != r.flags {
				changed++
			}
		})
	}()
	err := eachRecord(fresh, func(r record) {
		if r.uid >= st.UIDNext {
			c.out.Count++
		}
	})
	err = errors.Join(err, <-done)
	c.out.Count += changed
	return err
}

// goimapWatch keeps INBOX in IDLE and files what arrives.
func goimapWatch(ctx context.Context, c *child) error {
	wake := make(chan struct{}, 1)
	client, err := c.goimap(ctx, &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
		if d.NumMessages != nil {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	sel, err := client.Select("INBOX", nil).Wait()
	if err != nil {
		return err
	}
	told := make(chan error, 1)
	go func() { told <- c.ready() }()
	matcher, next := letters.NewMatcher(), uint32(sel.UIDNext)
	for {
		idle, err := client.Idle()
		if err != nil {
			return err
		}
		select {
		case <-wake:
		case err := <-told:
			return err
		}
		if err := idle.Close(); err != nil {
			return err
		}
		var todo [2]imap.UIDSet
		err = eachRecord(client.Fetch(uidRange(next, 0), envelopeOptions()), func(r record) {
			if f, ok := matcher.Match(r.from, r.subject, r.refs); ok && r.uid >= next {
				todo[f].AddNum(imap.UID(r.uid))
				next = r.uid + 1
			}
		})
		if err == nil {
			err = goimapMove(client, todo)
		}
		if err != nil {
			return err
		}
	}
}
