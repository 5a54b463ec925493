// Package imapsync keeps one mailbox in step with its IMAP server and carries out moves that cannot lose mail.
//
// It has three layers. Conn is one connection: go-imap behind guarantees of our own (a deadline on every command, one
// owner, status texts kept, one bad letter never kills a fetch). Syncer owns a mailbox's two connections, watches INBOX
// and Sent, and hands what it finds to an Intake. Mover carries out the journal of moves.
//
// The package never sets \Seen, never deletes a letter that has not been verified elsewhere, and never asks a server for
// ENVELOPE or BODYSTRUCTURE. It does not know clients, deals or rules.
package imapsync
