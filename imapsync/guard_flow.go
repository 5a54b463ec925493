package imapsync

import (
	"bytes"
	"io"
)

// How much is read from the socket at once: little while nothing is awaited, so that a thousand idle connections cost
// little, more for the answers to ordinary commands, and much while letters come.
const (
	idleFlow = 512
	talkFlow = 4 << 10
	busyFlow = 128 << 10
)

// flow buffers what comes from the socket. Its buffer is as large as what comes calls for: it is exchanged between two
// reads, when it is empty.
type flow struct {
	src  io.Reader
	buf  []byte
	r, w int // what has come and is not yet taken lies between
	few  int // reads in a row that the small buffer would have held
}

// size is how large the buffer is to be. The next read is begun before anybody knows whether it will bring letters, and
// may then wait for hours: so the buffer becomes large only when there was more than the small one could hold, and small
// again when little came twice.
func (f *flow) size() int {
	if f.w < idleFlow {
		f.few++
	} else {
		f.few = 0
	}
	switch {
	case len(f.buf) == 0 || f.few > 1:
		return idleFlow
	case f.w < len(f.buf):
		return len(f.buf)
	case len(f.buf) == idleFlow: // what filled the buffer goes on
		return talkFlow
	default:
		return busyFlow
	}
}

// fill waits for more. It is called with an empty buffer only.
func (f *flow) fill() error {
	if size := f.size(); len(f.buf) != size {
		f.buf = make([]byte, size)
	}
	f.r, f.w = 0, 0
	for range 100 {
		n, err := f.src.Read(f.buf)
		f.w = n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// buffered returns how many octets have come and are not yet taken.
func (f *flow) buffered() int { return f.w - f.r }

// slice takes what has come up to the next line feed, and waits when nothing has. whole tells whether the line feed was
// among it. What it returns is valid until the next call of a method.
func (f *flow) slice() (part []byte, whole bool, err error) {
	if f.r == f.w {
		if err := f.fill(); err != nil {
			return nil, false, err
		}
	}
	part = f.buf[f.r:f.w]
	if i := bytes.IndexByte(part, '\n'); i >= 0 {
		part, whole = part[:i+1], true
	}
	f.r += len(part)
	return part, whole, nil
}

// full fills p. What is larger than the buffer does not go through it.
func (f *flow) full(p []byte) error {
	n := copy(p, f.buf[f.r:f.w])
	f.r += n
	for p = p[n:]; len(p) >= busyFlow; p = p[n:] {
		var err error
		if n, err = f.src.Read(p); err != nil && n < len(p) {
			return err
		}
	}
	for len(p) > 0 {
		if err := f.fill(); err != nil {
			return err
		}
		n = copy(p, f.buf[:f.w])
		f.r, p = n, p[n:]
	}
	return nil
}

// discard throws n octets away.
func (f *flow) discard(n int64) error {
	for n > 0 {
		if f.r == f.w {
			if err := f.fill(); err != nil {
				return err
			}
		}
		k := min(n, int64(f.w-f.r))
		f.r, n = f.r+int(k), n-k
	}
	return nil
}
