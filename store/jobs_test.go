package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"kontrol/models"
	"kontrol/store"
	"kontrol/store/storetest"
)

type noteArgs struct {
	Key  string `json:"key" river:"unique"`
	Text string `json:"text"`
}

func (noteArgs) Kind() string { return "test_note" }

func waiting(t *testing.T, db *store.DB) int {
	t.Helper()
	s, err := db.Read().Status(t.Context())
	must(t, err)
	return s.JobsWaiting
}

func TestJobLivesAndDiesWithItsTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			if err := tx.Enqueue(tx.Context(), noteArgs{Key: "a"}, nil); err != nil {
				return err
			}
			return errMade
		})
		if !errors.Is(err, errMade) || waiting(t, db) != 0 {
			t.Errorf("after a rollback: %v, %d jobs", err, waiting(t, db))
		}
		unique := &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
		for _, text := range []string{"once", "twice"} {
			inTx(t, db, func(ctx context.Context, tx *store.Tx) error {
				return tx.Enqueue(ctx, noteArgs{Key: "b", Text: text}, unique)
			})
		}
		if n := waiting(t, db); n != 1 {
			t.Errorf("unique job: %d", n)
		}
		later := &river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)}
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.Enqueue(ctx, noteArgs{Key: "c"}, later) })
		if n := waiting(t, db); n != 2 {
			t.Errorf("scheduled job: %d", n)
		}
	})
}

func TestJobsAreWorkedOn(t *testing.T) {
	t.Parallel()
	for name, pollOnly := range map[string]bool{"listening": false, "polling": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				done := make(chan string, 10)
				workers := river.NewWorkers()
				river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[noteArgs]) error {
					// A job changes things in a transaction of its own, and may enqueue the next one there.
					err := db.Tx(ctx, func(tx *store.Tx) error {
						th := models.Thread{BaseSubject: j.Args.Key, LastAt: day}
						if err := tx.CreateThread(tx.Context(), &th); err != nil {
							return err
						}
						if j.Args.Key == "first" {
							return tx.Enqueue(tx.Context(), noteArgs{Key: "second"}, nil)
						}
						return nil
					})
					if err == nil {
						done <- j.Args.Key
					}
					return err
				}))
				jobs, err := db.StartJobs(t.Context(), store.JobsConfig{Workers: workers, PollOnly: pollOnly, FetchPollInterval: 200 * time.Millisecond})
				must(t, err)
				inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.Enqueue(ctx, noteArgs{Key: "first"}, nil) })
				for _, want := range []string{"first", "second"} {
					select {
					case got := <-done:
						if got != want {
							t.Errorf("job %s, want %s", got, want)
						}
					case <-time.After(20 * time.Second):
						t.Fatalf("job %s was not done", want)
					}
				}
				stop, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				must(t, jobs.Stop(stop))
				if n := store.CountRows(t.Context(), db)["threads"]; n != 2 {
					t.Errorf("%d threads", n)
				}
			})
		})
	}
}

func TestStopCutsOffAJobThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		began, ended := make(chan struct{}), make(chan error, 1)
		workers := river.NewWorkers()
		river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[noteArgs]) error {
			close(began)
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}))
		jobs, err := db.StartJobs(t.Context(), store.JobsConfig{Workers: workers, FetchPollInterval: 200 * time.Millisecond})
		must(t, err)
		inTx(t, db, func(ctx context.Context, tx *store.Tx) error { return tx.Enqueue(ctx, noteArgs{Key: "x"}, nil) })
		<-began
		stop, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		must(t, jobs.Stop(stop))
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("job ended with %v", err)
		}
		if n := waiting(t, db); n != 1 {
			t.Errorf("%d jobs wait: the one that was cut off must run again", n)
		}
	})
}

func TestStartJobsWithoutWorkers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if _, err := db.StartJobs(t.Context(), store.JobsConfig{}); err == nil {
			t.Error("started")
		}
	})
}
