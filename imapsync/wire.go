package imapsync

import (
	"context"
	"errors"
)

// This file is the only one that may call go-imap's Move and UIDExpunge: without the MOVE capability Move would copy,
// mark and expunge in one go without looking at the result of the copy. The guard would refuse to send that, too.

// Move is UID MOVE of one copy and nothing else. OK without COPYUID gives zeros: the letter may have been gone.
func (c *Conn) Move(ctx context.Context, uid uint32, dest string) (CopyUID, error) {
	got, err := c.MoveSet(ctx, []uint32{uid}, dest)
	return got.of(uid), err
}

// MoveSet is UID MOVE and nothing else. OK without COPYUID gives nothing: the letters may have been gone.
func (c *Conn) MoveSet(ctx context.Context, uids []uint32, dest string) (Copied, error) {
	l := c.link
	if !c.caps.Move {
		return Copied{}, errors.New("imap UID MOVE: not possible here")
	}
	if err := checkSet(uids); err != nil {
		return Copied{}, err
	}
	ans, err := l.do(ctx, command{name: "UID MOVE", limit: l.dialer.account.Timeouts.Literal}, func() error {
		_, err := l.client.Move(uidSet(uids), dest).Wait()
		return err
	})
	return copiedSet(ans.copyCodes, uids), err
}

// Expunge is UID EXPUNGE for one copy.
func (c *Conn) Expunge(ctx context.Context, uid uint32) error {
	return c.ExpungeSet(ctx, []uint32{uid})
}

// ExpungeSet is UID EXPUNGE for the given copies.
func (c *Conn) ExpungeSet(ctx context.Context, uids []uint32) error {
	l := c.link
	if !c.caps.UIDPlus {
		return errors.New("imap UID EXPUNGE: not possible here")
	}
	if err := checkSet(uids); err != nil {
		return err
	}
	_, err := l.do(ctx, command{name: "UID EXPUNGE", limit: l.dialer.account.Timeouts.Literal}, func() error {
		return l.client.UIDExpunge(uidSet(uids)).Close()
	})
	return err
}
