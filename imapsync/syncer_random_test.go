package imapsync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kontrol/models"
)

// TestStoreAgreesWithServerAfterAnything lets connections, the store and people do what they like for some hours of
// virtual time. Once all is quiet the store knows exactly what lies on the server, and no copy was announced twice.
func TestStoreAgreesWithServerAfterAnything(t *testing.T) {
	t.Parallel()
	rounds := uint64(300)
	if testing.Short() {
		rounds = 20
	}
	for seed := range rounds {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { anything(t, seed) })
		})
		if !ok {
			return
		}
	}
}

func anything(t *testing.T, seed uint64) {
	// One source for the test, one for what runs under the server's lock, one for what runs under the store's.
	rnd, server, store := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
	w := newSyncWorld(t)
	w.m.create(ctrl, done)
	w.m.caps = Caps{Move: rnd.IntN(3) > 0, UIDPlus: true, Idle: rnd.IntN(4) > 0, CondStore: rnd.IntN(2) > 0}
	w.m.notify = rnd.IntN(2) > 0
	if rnd.IntN(4) == 0 {
		w.m.limit = 1
	}
	w.st.decide = func(f models.Folder, _ Fetched, first bool) models.FolderRole {
		if f.Role != models.FolderInbox || first || store.IntN(2) > 0 {
			return ""
		}
		return models.FolderControl
	}
	for i := range rnd.IntN(70) {
		w.m.deliver([]string{inbox, ctrl, sent}[rnd.IntN(3)], header(fmt.Sprint("old", i)))
	}
	w.m.most = int(seed % 7) // small batches: the next is being fetched while one is stored
	w.start()
	trouble := rnd.IntN(3) > 0
	w.setTrouble(server, store, trouble)
	for i := range 60 {
		w.act(rnd, i)
		pass(time.Duration(rnd.IntN(40_000)) * time.Millisecond)
	}
	w.setTrouble(nil, nil, false)
	w.m.up()
	pass(4 * time.Hour)
	w.agree()
	w.stop()
}

// setTrouble makes commands and the store fail now and then, or ends that.
func (w *syncWorld) setTrouble(server, store *rand.Rand, on bool) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	w.m.fault, w.st.fail = nil, nil
	if !on {
		return
	}
	w.m.fault = func(_ *fakeSession, cmd string) fault {
		if cmd == "IDLE" || server.IntN(25) > 0 {
			return fine
		}
		return []fault{dieBefore, dieAfter, refuseIt}[server.IntN(3)]
	}
	w.st.fail = func(op string, _ bool) bool { return op != "SaveMailboxHealth" && store.IntN(60) == 0 }
}

// act is one thing that people or the network do.
func (w *syncWorld) act(rnd *rand.Rand, i int) {
	names := []string{inbox, sent, ctrl, done}
	pick := func() (name string, uid uint32) {
		w.m.mu.Lock()
		defer w.m.mu.Unlock()
		name = names[rnd.IntN(len(names))]
		if b := w.m.boxes[name]; b != nil && len(b.mail) > 0 {
			uid = b.mail[rnd.IntN(len(b.mail))].uid
		}
		return name, uid
	}
	name, uid := pick()
	switch k := rnd.IntN(20); {
	case k == 0:
		w.m.kill(true)
		pass(time.Duration(rnd.IntN(100)) * time.Second)
		w.m.up()
	case k == 1:
		w.m.kill(false)
	case k < 10:
		w.m.deliver(names[rnd.IntN(2)], header(fmt.Sprint("new", i)))
	case uid == 0:
	case k == 10 && rnd.IntN(4) == 0: // restored from a backup: the mod-sequence goes down
		w.m.mu.Lock()
		b := w.m.boxes[name]
		b.modSeq /= 2
		for _, c := range b.mail {
			c.modSeq = min(c.modSeq, b.modSeq)
		}
		w.m.mu.Unlock()
	case k < 13:
		w.m.mu.Lock()
		w.m.expungeLocked(nil, name, uid)
		w.m.mu.Unlock()
	case k < 15:
		w.m.setFlags(name, uid, `\Seen`, `\Flagged`)
	default:
		if to := names[rnd.IntN(len(names))]; to != name {
			w.m.person(name, uid, to)
		}
	}
}

// agree compares the store with the server.
func (w *syncWorld) agree() {
	w.t.Helper()
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.st.mu.Lock()
	defer w.st.mu.Unlock()
	for _, f := range w.st.folders {
		var server, store []string
		for _, c := range w.m.boxes[f.Name].mail {
			server = append(server, fmt.Sprint(c.uid, flagSet(c.flags)))
		}
		for _, l := range w.st.locations {
			if l.FolderID == f.ID && l.GoneAt == nil {
				if l.UIDValidity != w.m.boxes[f.Name].validity {
					w.t.Errorf("%s: copy with an old UIDVALIDITY", f.Name)
				}
				store = append(store, fmt.Sprint(l.UID, flagSet(l.Flags)))
			}
		}
		slices.Sort(server)
		slices.Sort(store)
		if !slices.Equal(server, store) {
			w.t.Errorf("%s: server holds %v, store knows %v", f.Name, server, store)
		}
	}
	seen := map[string]bool{}
	for _, x := range w.st.order {
		if x[0] != '~' && seen[x] {
			w.t.Errorf("%s was told twice", x)
		}
		seen[x] = true
	}
	for _, f := range w.st.filings {
		if f.State.Open() {
			w.t.Errorf("filing %d is still %s: %s", f.ID, f.State, f.LastError)
		}
	}
	if h := w.st.health; !h.Connected || !h.Reason.IsZero() {
		w.t.Errorf("health %+v", h)
	}
}
