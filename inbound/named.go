package inbound

import "time"

// words fills in what the writer has added to the conversation, and what is named there.
func (f *Facts) words() {
	f.ReplyText, f.Signature = SplitReply(f.Text)
	written := f.Letter.ArrivedAt
	if f.Letter.Date != nil {
		written = *f.Letter.Date
	}
	f.Named = FindNamed(f.ReplyText, f.Signature, written)
}

// FindNamed finds.
func FindNamed(text, signature string, written time.Time) Named { return Named{} }
