package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kontrol/models"
)

// memStore is the store and the intake in memory. It is durable in the sense that it survives any number of Movers and
// Syncers.
type memStore struct {
	mu        sync.Mutex
	folders   []models.Folder
	locations []*models.Location
	filings   []*models.Filing
	letters   map[string]int64 // header hash → letter
	health    models.MailboxHealth
	healths   []models.MailboxHealth

	fail     func(op string, after bool) bool // makes a call fail before or after it was carried out
	decide   func(f models.Folder, l Fetched, first bool) models.FolderRole
	poison   func(l Fetched) error
	onChange func(what string)

	arrivals map[string]int // "role/header" → how often handed over
	order    []string       // arrivals and vanishes in order
	bad      []BadLetter
	resets   int
}

func newMemStore() *memStore {
	return &memStore{letters: map[string]int64{}, arrivals: map[string]int{}}
}

var errStore = models.Temporary(errors.New("store is down"))

// guarded runs do, or fails before or after it.
func (st *memStore) guarded(op string, do func() error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.fail != nil && st.fail(op, false) {
		return errStore
	}
	if err := do(); err != nil {
		return err
	}
	if st.onChange != nil {
		st.onChange(op)
	}
	if st.fail != nil && st.fail(op, true) {
		return errStore
	}
	return nil
}

func (st *memStore) folder(id int64) *models.Folder {
	for i := range st.folders {
		if st.folders[i].ID == id {
			return &st.folders[i]
		}
	}
	return nil
}

func (st *memStore) role(r models.FolderRole) *models.Folder {
	for i := range st.folders {
		if st.folders[i].Role == r {
			return &st.folders[i]
		}
	}
	return nil
}

func (st *memStore) letter(header []byte) int64 {
	h := HeaderHash(header)
	if st.letters[h] == 0 {
		st.letters[h] = int64(len(st.letters) + 1)
	}
	return st.letters[h]
}

func (st *memStore) location(folder int64, validity, uid uint32) *models.Location {
	for _, l := range st.locations {
		if l.FolderID == folder && l.UIDValidity == validity && l.UID == uid {
			return l
		}
	}
	return nil
}

func (st *memStore) addLocation(f *models.Folder, uid uint32, header []byte, size int64, flags []string) *models.Location {
	if l := st.location(f.ID, f.UIDValidity, uid); l != nil {
		return l
	}
	l := &models.Location{
		ID: int64(len(st.locations) + 1), LetterID: st.letter(header), MailboxID: 1, FolderID: f.ID, UIDValidity: f.UIDValidity,
		UID: uid, Flags: flags, Size: size, HeaderHash: HeaderHash(header),
	}
	st.locations = append(st.locations, l)
	return l
}

func (st *memStore) plan(l *models.Location, target *models.Folder, now time.Time) *models.Filing {
	f := &models.Filing{
		ID: int64(len(st.filings) + 1), MailboxID: 1, LetterID: l.LetterID, LocationID: l.ID, Generation: 1,
		SourceFolderID: l.FolderID, SourceUIDValidity: l.UIDValidity, SourceUID: l.UID, HeaderHash: l.HeaderHash, Size: l.Size,
		TargetFolderID: target.ID, State: models.FilingPlanned, PlannedAt: now,
	}
	st.filings = append(st.filings, f)
	return f
}

func (st *memStore) StartedFilings(_ context.Context, _ int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	return st.due(now, after, limit, func(f *models.Filing) bool { return f.State != models.FilingPlanned })
}

func (st *memStore) PlannedFilings(_ context.Context, _ int64, now time.Time, after int64, limit int) ([]models.Filing, error) {
	return st.due(now, after, limit, func(f *models.Filing) bool { return f.State == models.FilingPlanned })
}

func (st *memStore) due(now time.Time, after int64, limit int, want func(*models.Filing) bool) (list []models.Filing, err error) {
	err = st.guarded("OpenFilings", func() error {
		for _, f := range st.filings {
			if f.State.Open() && want(f) && f.ID > after && len(list) < limit && (f.NextAttemptAt == nil || !f.NextAttemptAt.After(now)) {
				c := *f
				src, dst := *st.folder(f.SourceFolderID), *st.folder(f.TargetFolderID)
				c.SourceFolder, c.TargetFolder = &src, &dst
				if l := st.location(f.SourceFolderID, f.SourceUIDValidity, f.SourceUID); l != nil {
					at := *l
					c.Location = &at
				}
				list = append(list, c)
			}
		}
		return nil
	})
	return list, err
}

func (st *memStore) stored(id int64) *models.Filing {
	if id < 1 || id > int64(len(st.filings)) || !st.filings[id-1].State.Open() {
		return nil
	}
	return st.filings[id-1]
}

func (st *memStore) SaveFilings(_ context.Context, list []*models.Filing) (closed []int64, err error) {
	err = st.guarded("SaveFiling", func() error {
		for _, f := range list {
			old := st.stored(f.ID)
			if old == nil {
				closed = append(closed, f.ID)
				continue
			}
			if !f.State.Open() {
				return fmt.Errorf("save of final state %s", f.State)
			}
			*old = *f
		}
		return nil
	})
	return closed, err
}

func (st *memStore) FinishFilings(_ context.Context, list []*models.Filing) (closed []int64, err error) {
	err = st.guarded("FinishFiling", func() error {
		for _, f := range list {
			old := st.stored(f.ID)
			if old == nil {
				closed = append(closed, f.ID)
				continue
			}
			*old = *f
			if err := st.finished(f); err != nil {
				return err
			}
		}
		return nil
	})
	return closed, err
}

func (st *memStore) finished(f *models.Filing) error {
	if f.State.Open() {
		return fmt.Errorf("finish with open state %s", f.State)
	}
	now := time.Unix(1, 0)
	if f.State == models.FilingDone || f.State == models.FilingGone {
		if l := st.location(f.SourceFolderID, f.SourceUIDValidity, f.SourceUID); l != nil {
			l.GoneAt = &now
		}
	}
	if f.State != models.FilingDone {
		return nil
	}
	if f.DestUID == 0 || f.DestUIDValidity == 0 {
		return errors.New("done without a destination")
	}
	if st.location(f.TargetFolderID, f.DestUIDValidity, f.DestUID) == nil {
		st.locations = append(st.locations, &models.Location{
			ID: int64(len(st.locations) + 1), LetterID: f.LetterID, MailboxID: 1, FolderID: f.TargetFolderID,
			UIDValidity: f.DestUIDValidity, UID: f.DestUID, Size: f.Size, HeaderHash: f.HeaderHash,
		})
	}
	return nil
}

func (st *memStore) LiveCopies(_ context.Context, folderID int64, validity uint32) (list []models.Location, err error) {
	err = st.guarded("LiveCopies", func() error {
		for _, l := range st.locations {
			if l.FolderID == folderID && l.UIDValidity == validity && l.GoneAt == nil {
				list = append(list, *l)
			}
		}
		slices.SortFunc(list, func(a, b models.Location) int { return int(a.UID) - int(b.UID) })
		return nil
	})
	return list, err
}

func (st *memStore) Copies(_ context.Context, folderID int64, validity, first, last uint32) (list []models.Copy, err error) {
	err = st.guarded("Copies", func() error {
		list = st.copies(folderID, validity, func(uid uint32) bool { return uid >= first && (last == 0 || uid <= last) })
		return nil
	})
	return list, err
}

func (st *memStore) CopiesOf(_ context.Context, folderID int64, validity uint32, uids []uint32) (list []models.Copy, err error) {
	err = st.guarded("CopiesOf", func() error {
		list = st.copies(folderID, validity, func(uid uint32) bool { return slices.Contains(uids, uid) })
		return nil
	})
	return list, err
}

func (st *memStore) CountCopies(_ context.Context, folderID int64, validity uint32) (n int, err error) {
	err = st.guarded("CountCopies", func() error {
		n = len(st.copies(folderID, validity, func(uint32) bool { return true }))
		return nil
	})
	return n, err
}

func (st *memStore) copies(folderID int64, validity uint32, which func(uint32) bool) (list []models.Copy) {
	for _, l := range st.locations {
		if l.FolderID == folderID && l.UIDValidity == validity && l.GoneAt == nil && which(l.UID) {
			list = append(list, models.Copy{UID: l.UID, Flags: l.Flags})
		}
	}
	slices.SortFunc(list, func(a, b models.Copy) int { return int(int64(a.UID) - int64(b.UID)) })
	return list
}

func (st *memStore) Folders(context.Context, int64) (list []models.Folder, err error) {
	err = st.guarded("Folders", func() error {
		list = slices.Clone(st.folders)
		return nil
	})
	return list, err
}

func (st *memStore) saveFolder(f *models.Folder) {
	if old := st.role(f.Role); old != nil {
		f.ID = old.ID
		if f.UIDValidity == old.UIDValidity {
			f.LastUID = max(f.LastUID, old.LastUID)
		}
		*old = *f
		return
	}
	f.ID = int64(len(st.folders) + 1)
	st.folders = append(st.folders, *f)
}

func (st *memStore) SaveFolder(_ context.Context, f *models.Folder) error {
	return st.guarded("SaveFolder", func() error {
		st.saveFolder(f)
		return nil
	})
}

func (st *memStore) SaveMailboxHealth(_ context.Context, _ int64, h models.MailboxHealth) error {
	return st.guarded("SaveMailboxHealth", func() error {
		st.health = h
		st.healths = append(st.healths, h)
		return nil
	})
}

func (st *memStore) Arrived(_ context.Context, a Arrival) error {
	return st.guarded("Arrived", func() error {
		for _, l := range a.Letters {
			if st.poison != nil {
				if err := st.poison(l); err != nil {
					return err
				}
			}
		}
		f := st.folder(a.Folder.ID)
		*f = a.Folder
		for _, l := range a.Letters {
			st.arrivals[string(f.Role)+"/"+string(l.Header)]++
			st.order = append(st.order, fmt.Sprintf("+%s/%d", f.Role, l.UID))
			loc := st.addLocation(f, l.UID, l.Header, l.Size, l.Flags)
			if st.decide != nil {
				if role := st.decide(*f, l, a.FirstLook); role != "" {
					st.plan(loc, st.role(role), time.Unix(0, 0))
				}
			}
		}
		st.bad = append(st.bad, a.Bad...)
		return nil
	})
}

func (st *memStore) Changed(_ context.Context, c Change) error {
	return st.guarded("Changed", func() error {
		now := time.Unix(2, 0)
		for _, u := range c.Gone {
			l := st.location(c.Folder.ID, c.Folder.UIDValidity, u)
			if l == nil || l.GoneAt != nil {
				return fmt.Errorf("unknown copy %d reported as gone", u)
			}
			l.GoneAt = &now
			st.order = append(st.order, fmt.Sprintf("-%s/%d", c.Folder.Role, u))
		}
		for u, flags := range c.Flags {
			st.location(c.Folder.ID, c.Folder.UIDValidity, u).Flags = flags
			st.order = append(st.order, fmt.Sprintf("~%s/%d", c.Folder.Role, u))
		}
		return nil
	})
}

func (st *memStore) Reset(_ context.Context, f models.Folder) error {
	return st.guarded("Reset", func() error {
		now := time.Unix(3, 0)
		for _, l := range st.locations {
			if l.FolderID == f.ID && l.GoneAt == nil {
				l.GoneAt = &now
			}
		}
		*st.folder(f.ID) = f
		st.resets++
		return nil
	})
}

// sync takes in what the server holds now, as a Syncer would.
func (st *memStore) sync(m *model) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Unix(4, 0)
	for i := range st.folders {
		f := &st.folders[i]
		b := m.boxes[f.Name]
		if b == nil {
			continue
		}
		f.UIDValidity = b.validity
		for _, c := range b.mail {
			if c.uid > f.LastUID {
				st.addLocation(f, c.uid, []byte(c.header), c.size, c.flags)
			}
		}
		f.LastUID = b.next - 1
		for _, l := range st.locations {
			if l.FolderID == f.ID && l.GoneAt == nil && m.findLocked(f.Name, l.UID) == nil {
				l.GoneAt = &now
			}
		}
	}
}

var (
	_ Journal = (*memStore)(nil)
	_ Folders = (*memStore)(nil)
	_ Intake  = (*memStore)(nil)
	_ Session = (*fakeSession)(nil)
	_ Dialer  = (*model)(nil)
)
