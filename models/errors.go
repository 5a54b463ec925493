package models

import "errors"

// ErrNotFound is returned by the store when the row asked for does not exist.
var ErrNotFound = errors.New("not found")

// ErrDuplicate is returned by the store when a row with the same unique key exists already.
var ErrDuplicate = errors.New("already exists")

// Told is an error that also knows how to be told to a person. Error gives the English text for logs; the phrase is
// rendered by locale for the terminal or a letter. Wrap it with %w like any other error.
type Told struct {
	Phrase Phrase // what a person reads: what happened and what to do next
	Err    error  // what the log says; never nil
}

// Error returns the text for logs.
func (e *Told) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Told) Unwrap() error { return e.Err }

// PhraseOf returns the phrase of the outermost Told in err's chain, and whether there is one.
func PhraseOf(err error) (Phrase, bool) {
	var t *Told
	if errors.As(err, &t) {
		return t.Phrase, true
	}
	return Phrase{}, false
}

// temporary marks an error as one that may go away by itself.
type temporary struct{ error }

func (t temporary) Unwrap() error { return t.error }

// Temporary marks err as one worth trying again later: a broken connection, a busy server, a full disk. Nil stays nil.
func Temporary(err error) error {
	if err == nil {
		return nil
	}
	return temporary{err}
}

// IsTemporary reports whether err was marked by Temporary somewhere in its chain. Everything else is permanent: trying
// again without a change gives the same result.
func IsTemporary(err error) bool {
	var t temporary
	return errors.As(err, &t)
}
