package imapsync

import (
	"context"
	"errors"

	"github.com/emersion/go-imap/v2"
)

// This file is the only one that may call go-imap's Move and UIDExpunge: without the MOVE capability Move would copy,
// mark and expunge in one go without looking at the result of the copy. The guard would refuse to send that, too.

// Move is UID MOVE and nothing else. OK without COPYUID gives zeros: the letter may have been gone.
func (c *Conn) Move(ctx context.Context, uid uint32, dest string) (CopyUID, error) {
	l := c.link
	if uid == 0 || !c.caps.Move {
		return CopyUID{}, errors.New("imap UID MOVE: not possible here")
	}
	ans, err := l.do(ctx, command{name: "UID MOVE", limit: l.dialer.account.Timeouts.Literal}, func() error {
		_, err := l.client.Move(imap.UIDSetNum(imap.UID(uid)), dest).Wait()
		return err
	})
	return copiedTo(ans, uid), err
}

// Expunge is UID EXPUNGE for one copy.
func (c *Conn) Expunge(ctx context.Context, uid uint32) error {
	l := c.link
	if uid == 0 || !c.caps.UIDPlus {
		return errors.New("imap UID EXPUNGE: not possible here")
	}
	_, err := l.do(ctx, command{name: "UID EXPUNGE"}, func() error {
		return l.client.UIDExpunge(imap.UIDSetNum(imap.UID(uid))).Close()
	})
	return err
}
