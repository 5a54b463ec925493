package imapsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"kontrol/models"
)

// MoverConfig says how patient a Mover is and what it may do on servers that can do little. The zero value is usable.
type MoverConfig struct {
	// MaxAttempts is how often the server is asked to move one letter before the filing fails; 0 means 8.
	MaxAttempts int
	// LeaveDeleted allows to move on servers that have neither MOVE nor UIDPLUS: the letter is copied, the copy is
	// verified, and the source stays in its folder marked \Deleted, because it cannot be removed there without also
	// removing other people's marked letters. False means not to move at all on such a server.
	LeaveDeleted bool
	// FirstRetry and LastRetry bound the wait between attempts; 0 means 1 minute and 1 hour.
	FirstRetry, LastRetry time.Duration
	// Grace is how long the command under way may still take when the context of Run ends; 0 means 5 seconds.
	Grace time.Duration
	// FindLimit is how many copies of the target folder that nobody knows are looked at to find one letter, beside one for
	// each other letter that is looked for at the same time; 0 means 500.
	FindLimit int
	// Rand gives numbers in [0, 1) for the jitter; nil means a random source.
	Rand func() float64
}

// Mover carries out the journal of moves so that a letter cannot be lost, whatever breaks in between: it writes down
// what it is about to do before the server is asked, removes nothing that it has not seen in the target folder, and
// finds out by looking what became of a command whose answer was lost. It never asks for the same thing twice blindly.
//
// It is safe for concurrent use for different mailboxes; it keeps no state of its own.
type Mover struct {
	journal Journal
	cfg     MoverConfig
	now     func() time.Time
	logger  *slog.Logger
}

// NewMover returns a Mover over the journal. A nil now means time.Now, a nil logger discards.
func NewMover(journal Journal, cfg MoverConfig, now func() time.Time, logger *slog.Logger) *Mover {
	cfg.MaxAttempts = orInt(cfg.MaxAttempts, 8)
	cfg.FindLimit = orInt(cfg.FindLimit, 500)
	cfg.FirstRetry = orDuration(cfg.FirstRetry, time.Minute)
	cfg.LastRetry = orDuration(cfg.LastRetry, time.Hour)
	cfg.Grace = orDuration(cfg.Grace, 5*time.Second)
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	if now == nil {
		now = time.Now
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Mover{journal: journal, cfg: cfg, now: now, logger: logger}
}

func orInt(v, preset int) int {
	if v <= 0 {
		return preset
	}
	return v
}

func orDuration(v, preset time.Duration) time.Duration {
	if v <= 0 {
		return preset
	}
	return v
}

// Run carries out all open filings of one mailbox that are due, those with an unknown outcome first and otherwise the
// oldest first, many with one command where that is as safe as one by one. What one letter suffers does not stop the
// others: it is written into the journal. Run returns a temporary error when the session died or the server does not let
// it look for a letter whose fate is unknown, the journal's error when it could not be written, and the context's error
// when it ended; then the rest is left for the next Run. The folder that is selected afterwards is not defined.
//
// Run tells nobody of what it notices about flags; see RunTelling.
func (m *Mover) Run(ctx context.Context, s Session, mailboxID int64) error {
	return m.RunTelling(ctx, s, mailboxID, nil)
}

// tellings is how often RunTelling looks at the journal again because it has told of a changed star.
const tellings = 3

// RunTelling is Run that looks, just before it moves a letter, whether its star is still as the store knows it, and if not
// tells of the change instead of moving: a person may have starred the letter since the decision was made. What was
// decided then is carried out in the same call. A nil tell never hears of anything.
func (m *Mover) RunTelling(ctx context.Context, s Session, mailboxID int64, tell func(context.Context, Change) error) error {
	for range tellings {
		told, err := m.run(ctx, s, mailboxID, tell)
		if err != nil || !told {
			return err
		}
	}
	return nil
}

func (m *Mover) run(ctx context.Context, s Session, mailboxID int64, tell func(context.Context, Change) error) (bool, error) {
	work, stop := graceful(ctx, m.cfg.Grace)
	defer stop()
	r := &moving{
		Mover: m, s: s, tell: tell, ended: ctx.Err, blocked: make(map[int64]bool), refusals: make(map[int64]int),
		targets: make(map[int64]Selected), waiting: make(map[int64]bool),
	}
	err := r.all(work, mailboxID)
	return r.told && err == nil, errors.Join(err, r.atRest(work))
}

// all carries out everything that is due.
func (r *moving) all(ctx context.Context, mailboxID int64) error {
	// Filings whose outcome is not known come before those that are only planned: a planned twin of such a letter would
	// otherwise make a copy that looks like its own.
	if err := r.pages(ctx, mailboxID, r.journal.StartedFilings, r.started); err != nil {
		return err
	}
	if err := r.pages(ctx, mailboxID, r.journal.PlannedFilings, r.planned); err != nil {
		return err
	}
	return r.lookForMissing(ctx)
}

// moving is one Run.
type moving struct {
	*Mover
	s        Session
	ended    func() error                        // the context's error when Run is to end
	blocked  map[int64]bool                      // target folders in which an outcome is still not known
	refusals map[int64]int                       // by target folder: refused moves since the last one that was done
	tell     func(context.Context, Change) error // may be nil
	told     bool                                // of a changed star
	targets  map[int64]Selected                  // by target folder: below which UID no further copy will be
	pending  []answeredSet                       // moved as the server says, and still to be proved
	waiting  map[int64]bool                      // the filings in pending
	missing  []*models.Filing                    // planned, and not in their source folders any more: to be looked for
	open     string                              // the source folder that is selected for planned moves; "" when none or another

	next      upcoming      // what comes after the set that is being carried out
	ahead     *announcement // that set, when the journal has it as sent already
	finishing []chan error  // moved letters are being written into the journal: each waits for the one before it
}

// page is how many filings are held in memory at a time. After each page the target folders are looked at, which is dear
// on servers that keep a letter in a file: the more letters a look serves, the better.
const page = 4000

// pages reads filings page by page and hands them on in batches.
func (r *moving) pages(
	ctx context.Context, mailboxID int64,
	next func(context.Context, int64, time.Time, int64, int) ([]models.Filing, error),
	carryOut func(context.Context, []*models.Filing) error,
) (err error) {
	read := func(ctx context.Context, after int64) ([]models.Filing, error) {
		return next(ctx, mailboxID, r.now(), after, page)
	}
	list, err := read(ctx, 0)
	for err == nil && len(list) > 0 {
		ahead := r.readAhead(ctx, list, read)
		failed := r.carryOut(ctx, pointers(list), carryOut)
		if failed == nil && len(r.missing) >= page {
			failed = r.lookForMissing(ctx)
		}
		list, err = ahead.wait()
		if failed != nil {
			return failed
		}
	}
	if err != nil {
		return fmt.Errorf("read journal of moves: %w", err)
	}
	return nil
}

// carryOut cuts filings into sets and carries them out. When Run is to end it stops between two sets.
func (r *moving) carryOut(ctx context.Context, list []*models.Filing, do func(context.Context, []*models.Filing) error) error {
	sets, err := r.cutSets(list)
	if err != nil {
		return err
	}
	for i, set := range sets {
		if err := r.ended(); err != nil {
			return errors.Join(err, r.prove(ctx))
		}
		if err := r.failedBehind(); err != nil {
			return err
		}
		r.foresee(set, sets[i+1:])
		if err := r.batch(ctx, set, do); err != nil {
			return fmt.Errorf("filing %d and %d more: %w", set[0].ID, len(set)-1, err)
		}
	}
	return r.prove(ctx)
}

func pointers(list []models.Filing) []*models.Filing {
	p := make([]*models.Filing, 0, len(list))
	for i := range list {
		p = append(p, &list[i])
	}
	return p
}

// batch carries out filings that have the same folders, unless the outcome of another one in their target folder is not
// known.
func (r *moving) batch(ctx context.Context, set []*models.Filing, carryOut func(context.Context, []*models.Filing) error) error {
	target := set[0].TargetFolderID
	if r.blocked[target] {
		return r.takeBackAhead(ctx) // it may be this one
	}
	err := carryOut(ctx, set)
	r.block(set)
	return err
}

// block notes target folders into which nothing may be moved until it is known what has become of these filings.
func (r *moving) block(set []*models.Filing) {
	for _, f := range set {
		if f.State.Open() && f.State != models.FilingPlanned && !r.waiting[f.ID] {
			r.blocked[f.TargetFolderID] = true
		}
	}
}

// putOff leaves filings open in the given state until the next attempt, or fails them when there were enough.
func (r *moving) putOff(ctx context.Context, list []*models.Filing, cause error) error {
	var wait, enough []*models.Filing
	for _, f := range list {
		f.LastError, f.Reason = cause.Error(), reasonOf(f, cause)
		if f.Attempts >= r.cfg.MaxAttempts {
			enough = append(enough, f)
			continue
		}
		next := r.now().Add(backoff(max(f.Attempts, 1), r.cfg.FirstRetry, r.cfg.LastRetry, r.cfg.Rand))
		f.NextAttemptAt = &next
		wait = append(wait, f)
	}
	if len(wait) > 0 {
		r.logger.Warn("filings put off", "filing", wait[0].ID, "count", len(wait), "state", wait[0].State,
			"attempts", wait[0].Attempts, "until", *wait[0].NextAttemptAt, "error", cause)
	}
	if _, err := r.save(ctx, wait); err != nil {
		return err
	}
	return r.finish(ctx, enough, models.FilingFailed)
}

// refuse puts filings off of which nothing has been said to the server, because it did not let us look or make a folder.
func (r *moving) refuse(ctx context.Context, list []*models.Filing, cause error, t try) error {
	for _, f := range list {
		if t != halfTry {
			f.Attempts++
		}
	}
	return r.putOff(ctx, list, cause)
}

func (r *moving) fail(ctx context.Context, list []*models.Filing, cause error, reason func(*models.Filing) models.Phrase) error {
	for _, f := range list {
		f.LastError, f.Reason = cause.Error(), reason(f)
	}
	return r.finish(ctx, list, models.FilingFailed)
}

// cancel finishes filings that are no longer wanted, for a reason of the administrator.
func (r *moving) cancel(ctx context.Context, list []*models.Filing, why string) error {
	for _, f := range list {
		f.LastError = why
	}
	return r.finish(ctx, list, models.FilingCancelled)
}

func (r *moving) finish(ctx context.Context, list []*models.Filing, state models.FilingState) error {
	if len(list) == 0 {
		return nil
	}
	r.final(list, state)
	closed, err := r.book(ctx, list)
	if err == nil {
		r.without(list, closed)
	}
	return err
}

// final gives filings their last state.
func (r *moving) final(list []*models.Filing, state models.FilingState) {
	now := r.now()
	for _, f := range list {
		f.State, f.FinishedAt, f.NextAttemptAt = state, &now, nil
		if state == models.FilingDone {
			f.LastError, f.Reason = "", models.Phrase{}
		}
	}
}

// book stores filings that have their last state and returns those that the journal no longer had as open.
func (r *moving) book(ctx context.Context, list []*models.Filing) ([]int64, error) {
	closed, err := r.journal.FinishFilings(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("finish filings: %w", err)
	}
	r.logger.Info("filings finished", "filing", list[0].ID, "count", len(list), "state", list[0].State, "attempts", list[0].Attempts)
	return closed, nil
}

// save stores filings that stay open and returns those that the journal still has as open.
func (r *moving) save(ctx context.Context, list []*models.Filing) ([]*models.Filing, error) {
	if len(list) == 0 {
		return nil, nil
	}
	closed, err := r.journal.SaveFilings(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("save filings: %w", err)
	}
	return r.without(list, closed), nil
}

// without leaves out the filings that the journal no longer has as open: somebody else has decided meanwhile.
func (r *moving) without(list []*models.Filing, closed []int64) []*models.Filing {
	if len(closed) == 0 {
		return list
	}
	rest := make([]*models.Filing, 0, len(list))
	for _, f := range list {
		if slices.Contains(closed, f.ID) {
			r.logger.Info("filing was closed by another decision", "filing", f.ID)
			f.State = models.FilingCancelled
			continue
		}
		rest = append(rest, f)
	}
	return rest
}

// saveAnyway notes that the outcome is unknown, even when the context has ended. When it cannot be noted the filings
// stay "sent", which means the same to the next Run.
func (r *moving) saveAnyway(ctx context.Context, list []*models.Filing) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Grace)
	defer cancel()
	if _, err := r.save(ctx, list); err != nil {
		r.logger.Warn("unknown outcome not noted", "filing", list[0].ID, "count", len(list), "error", err)
	}
}

// lost marks an error that ended the session as temporary.
func lost(what string, err error) error {
	return models.Temporary(fmt.Errorf("%s: %w", what, err))
}

// refused reports whether the server answered NO or BAD, and the session lives on.
func refused(err error) bool {
	var status *StatusError
	return errors.As(err, &status)
}

// missingFolder reports whether a refusal says that the target folder is not there. See RFC 9051 section 7.1.
func missingFolder(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && (status.Code == "TRYCREATE" || status.Code == "NONEXISTENT")
}

// reasonOf tells a person why a filing waits or has failed.
func reasonOf(f *models.Filing, cause error) models.Phrase {
	var status *StatusError
	switch {
	case errors.As(cause, &status) && status.Code == "OVERQUOTA":
		return models.Say("sync.over_quota", "Folder", f.TargetFolder.Name)
	case errors.As(cause, &status):
		return models.Say("sync.refused", "Folder", f.TargetFolder.Name, "Answer", status.Text)
	case errors.Is(cause, errUnsure):
		return models.Say("sync.unsure", "Folder", f.TargetFolder.Name)
	case errors.Is(cause, errStays):
		return models.Say("sync.half_done", "Folder", f.SourceFolder.Name)
	}
	return models.Say("sync.no_effect", "Folder", f.TargetFolder.Name)
}

func hasFlag(flags []string, flag string) bool {
	return slices.ContainsFunc(flags, func(x string) bool { return strings.EqualFold(x, flag) })
}
