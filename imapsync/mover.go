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
	// FindLimit is how many copies of the target folder are looked at to find one letter; 0 means 500.
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
// oldest first. What one letter suffers does not stop the others: it is written into the journal. Run returns a
// temporary error when the session died or the server does not let it look for a letter whose fate is unknown, the journal's error when it could not be written, and the context's error
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
	list, err := m.journal.OpenFilings(ctx, mailboxID, m.now())
	if err != nil {
		return false, fmt.Errorf("read journal of moves: %w", err)
	}
	slices.SortStableFunc(list, func(a, b models.Filing) int { return rank(a.State) - rank(b.State) })
	work, stop := graceful(ctx, m.cfg.Grace)
	defer stop()
	r := &moving{Mover: m, s: s, tell: tell, blocked: make(map[int64]bool)}
	for i := range list {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := r.file(work, &list[i]); err != nil {
			return false, fmt.Errorf("filing %d: %w", list[i].ID, err)
		}
	}
	return r.told, nil
}

// rank puts filings whose outcome is not known before those that are only planned: a planned twin of such a letter
// would otherwise make a copy that looks like its own.
func rank(s models.FilingState) int {
	if s == models.FilingPlanned {
		return 1
	}
	return 0
}

// moving is one Run.
type moving struct {
	*Mover
	s       Session
	blocked map[int64]bool                      // target folders in which an outcome is still not known
	tell    func(context.Context, Change) error // may be nil
	told    bool                                // of a changed star
	open    string                              // the source folder that is selected for planned moves; "" when none or another
}

// errClosed says that the journal no longer has the filing as open: somebody else has decided meanwhile.
var errClosed = errors.New("filing is no longer open")

// file takes one filing as far as it goes.
func (r *moving) file(ctx context.Context, f *models.Filing) error {
	if f.SourceFolder == nil || f.TargetFolder == nil {
		return errors.New("journal gave a filing without its folders")
	}
	if r.blocked[f.TargetFolderID] {
		return nil
	}
	err := r.advance(ctx, f)
	if errors.Is(err, errClosed) {
		r.logger.Info("filing was closed by another decision", "filing", f.ID)
		return nil
	}
	if err != nil {
		return err
	}
	if f.State.Open() && f.State != models.FilingPlanned {
		r.blocked[f.TargetFolderID] = true
	}
	return nil
}

func (r *moving) advance(ctx context.Context, f *models.Filing) error {
	if f.State != models.FilingPlanned {
		r.open = ""
		if err := r.reconcile(ctx, f, answer{}); err != nil {
			return err
		}
		if f.State != models.FilingPlanned || f.NextAttemptAt != nil {
			return nil
		}
	}
	return r.planned(ctx, f, true)
}

// planned starts a move of which nothing has been said to the server. With mayCreate a missing target folder is made
// once.
func (r *moving) planned(ctx context.Context, f *models.Filing, mayCreate bool) error {
	if f.SourceFolderID == f.TargetFolderID || f.SourceFolder.Name == f.TargetFolder.Name {
		return r.finish(ctx, f, models.FilingCancelled)
	}
	if caps := r.s.Caps(); !caps.Move && !caps.UIDPlus && !r.cfg.LeaveDeleted {
		return r.fail(ctx, f, errors.New("server has neither MOVE nor UIDPLUS"), models.Say("sync.cannot_remove"))
	}
	ready, err := r.sourceReady(ctx, f)
	if err != nil || !ready {
		return err
	}
	target, err := r.target(ctx, f)
	if refused(err) {
		f.Attempts++
		return r.putOff(ctx, f, models.FilingPlanned, err)
	}
	if err != nil {
		return lost("look at target folder", err)
	}
	now := r.now()
	f.State, f.SentAt, f.NextAttemptAt = models.FilingSent, &now, nil
	f.DestUIDValidity, f.DestUIDNext, f.DestUID = target.UIDValidity, target.UIDNext, 0
	f.Attempts++
	if err := r.save(ctx, f); err != nil {
		return err // nothing has been sent, and nothing will be
	}
	var got CopyUID
	if r.s.Caps().Move {
		got, err = r.s.Move(ctx, f.SourceUID, f.TargetFolder.Name)
	} else {
		got, err = r.s.Copy(ctx, f.SourceUID, f.TargetFolder.Name)
	}
	return r.answered(ctx, f, got, err, mayCreate)
}

// sourceReady reports whether the copy can be moved now. When it cannot, the journal has been told why.
func (r *moving) sourceReady(ctx context.Context, f *models.Filing) (bool, error) {
	if r.open != f.SourceFolder.Name {
		r.open = ""
		sel, err := r.s.Select(ctx, f.SourceFolder.Name, false)
		switch {
		case refused(err):
			f.Attempts++
			return false, r.putOff(ctx, f, models.FilingPlanned, err)
		case err != nil:
			return false, lost("open source folder", err)
		case sel.UIDValidity != f.SourceUIDValidity:
			f.LastError = "UIDVALIDITY of the source folder has changed"
			return false, r.finish(ctx, f, models.FilingCancelled)
		case sel.ReadOnly:
			return false, r.fail(ctx, f, errors.New("source folder is read-only"),
				models.Say("sync.read_only", "Folder", f.SourceFolder.Name))
		}
		r.open = f.SourceFolder.Name
	}
	there, flags, err := r.copyAt(ctx, f.SourceUID)
	switch {
	case refused(err):
		r.open = ""
		f.Attempts++
		return false, r.putOff(ctx, f, models.FilingPlanned, err)
	case err != nil:
		return false, lost("look at source copy", err)
	case !there:
		r.open = ""
		return false, r.reconcile(ctx, f, answer{})
	case hasFlag(flags, `\Deleted`):
		f.LastError = "the copy is marked as deleted"
		return false, r.finish(ctx, f, models.FilingCancelled)
	case r.tell != nil && f.Location != nil && f.Location.Flagged() != hasFlag(flags, `\Flagged`):
		r.told = true
		return false, r.tell(ctx, Change{Folder: *f.SourceFolder, Flags: map[uint32][]string{f.SourceUID: flags}})
	}
	return true, nil
}

// target asks how the target folder is, and makes it when it is missing.
func (r *moving) target(ctx context.Context, f *models.Filing) (Selected, error) {
	st, err := r.s.Status(ctx, f.TargetFolder.Name)
	if !refused(err) {
		return st, err
	}
	if err := r.s.Create(ctx, f.TargetFolder.Name); err != nil {
		return Selected{}, err
	}
	return r.s.Status(ctx, f.TargetFolder.Name)
}

// answered goes on after the answer to MOVE or COPY, or its absence. A NO is not taken as proof that nothing was done:
// servers that carry out MOVE in steps say NO half-way. So everything except a MOVE with COPYUID is looked at.
func (r *moving) answered(ctx context.Context, f *models.Filing, got CopyUID, err error, mayCreate bool) error {
	switch {
	case err != nil && !refused(err):
		f.State, f.LastError = models.FilingUnknown, err.Error()
		r.saveAnyway(ctx, f)
		return lost("move letter", err)
	case err == nil && got.UID != 0 && r.s.Caps().Move:
		f.DestUIDValidity, f.DestUID = got.UIDValidity, got.UID
		return r.finish(ctx, f, models.FilingDone)
	case err == nil && got.UID != 0:
		f.DestUIDValidity, f.DestUID = got.UIDValidity, got.UID
	case missingFolder(err) && mayCreate:
		return r.createAndRetry(ctx, f, err)
	}
	r.open = ""
	return r.reconcile(ctx, f, answer{refusal: err, copied: err == nil && !r.s.Caps().Move})
}

// createAndRetry makes the target folder that the server says is missing, and starts again.
func (r *moving) createAndRetry(ctx context.Context, f *models.Filing, cause error) error {
	f.State, f.LastError = models.FilingPlanned, cause.Error()
	f.DestUIDValidity, f.DestUIDNext = 0, 0
	if err := r.save(ctx, f); err != nil {
		return err
	}
	if err := r.s.Create(ctx, f.TargetFolder.Name); refused(err) {
		return r.putOff(ctx, f, models.FilingPlanned, err)
	} else if err != nil {
		return lost("make target folder", err)
	}
	return r.planned(ctx, f, false)
}

// copyAt looks at one copy in the selected folder.
func (r *moving) copyAt(ctx context.Context, uid uint32) (there bool, flags []string, err error) {
	metas, err := r.s.UIDs(ctx, uid, uid)
	if err != nil {
		return false, nil, err
	}
	for _, m := range metas {
		if m.UID == uid {
			return true, m.Flags, nil
		}
	}
	return false, nil, nil
}

// putOff leaves the filing open in the given state until the next attempt, or fails it when there were enough.
func (r *moving) putOff(ctx context.Context, f *models.Filing, state models.FilingState, cause error) error {
	reason := reasonOf(f, cause)
	if f.Attempts >= r.cfg.MaxAttempts {
		return r.fail(ctx, f, cause, reason)
	}
	next := r.now().Add(backoff(max(f.Attempts, 1), r.cfg.FirstRetry, r.cfg.LastRetry, r.cfg.Rand))
	f.State, f.NextAttemptAt, f.LastError, f.Reason = state, &next, cause.Error(), reason
	r.logger.Warn("filing put off", "filing", f.ID, "state", state, "attempts", f.Attempts, "until", next, "error", cause)
	return r.save(ctx, f)
}

func (r *moving) fail(ctx context.Context, f *models.Filing, cause error, reason models.Phrase) error {
	f.LastError, f.Reason = cause.Error(), reason
	return r.finish(ctx, f, models.FilingFailed)
}

func (r *moving) finish(ctx context.Context, f *models.Filing, state models.FilingState) error {
	now := r.now()
	f.State, f.FinishedAt, f.NextAttemptAt = state, &now, nil
	if state == models.FilingDone {
		f.LastError, f.Reason = "", models.Phrase{}
	}
	r.logger.Info("filing finished", "filing", f.ID, "state", state, "attempts", f.Attempts)
	return closedOr(r.journal.FinishFiling(ctx, f), "finish filing")
}

func (r *moving) save(ctx context.Context, f *models.Filing) error {
	return closedOr(r.journal.SaveFiling(ctx, f), "save filing")
}

// saveAnyway notes that the outcome is unknown, even when the context has ended. When it cannot be noted the filing
// stays "sent", which means the same to the next Run.
func (r *moving) saveAnyway(ctx context.Context, f *models.Filing) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Grace)
	defer cancel()
	if err := r.save(ctx, f); err != nil {
		r.logger.Warn("unknown outcome not noted", "filing", f.ID, "error", err)
	}
}

func closedOr(err error, what string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, models.ErrNotFound) {
		return errClosed
	}
	return fmt.Errorf("%s: %w", what, err)
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
