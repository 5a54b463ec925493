package daemon

import (
	"context"
	"strconv"

	"github.com/riverqueue/river"
)

// FileLetters is the job that wakes a mailbox with planned moves. It is only a trigger: the truth is the journal, so it
// may run twice, late or never, and a mailbox looks at its journal whenever it connects.
type FileLetters struct {
	MailboxID int64 `json:"mailbox_id"`
}

// Kind names the job in the queue. It is stored: never rename it.
func (FileLetters) Kind() string { return "file_letters" }

// workers returns the workers of all kinds of job. Every process must know every kind: River discards a stuck job of a
// kind that the leader does not know.
func (a *App) workers() *river.Workers {
	w := river.NewWorkers()
	river.AddWorker(w, river.WorkFunc(func(_ context.Context, j *river.Job[FileLetters]) error {
		a.poke(j.Args.MailboxID)
		return nil
	}))
	return w
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
