package store_test

import (
	"testing"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

func TestOnlyOneDaemonHoldsTheDatabase(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		unlock, err := db.LockDaemon(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if running, err := db.DaemonRunning(t.Context()); err != nil || !running {
			t.Errorf("while locked: running %v, error %v", running, err)
		}
		if _, err := db.LockDaemon(t.Context()); err == nil {
			t.Error("a second daemon got the lock")
		} else if _, told := models.PhraseOf(err); !told {
			t.Errorf("a second daemon is not told why: %v", err)
		}
		unlock()
		if running, err := db.DaemonRunning(t.Context()); err != nil || running {
			t.Errorf("after unlock: running %v, error %v", running, err)
		}
	})
}
