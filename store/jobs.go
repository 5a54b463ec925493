package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
)

// JobsConfig says how jobs are worked on. Workers is required, everything else has a working zero value.
type JobsConfig struct {
	// Workers knows how to do each kind of job. Every process that works on jobs of one database must register all kinds:
	// a job that was cut off and is of a kind that the leading process does not know is discarded.
	Workers *river.Workers
	// MaxWorkers is how many jobs run at the same time; zero means 4.
	MaxWorkers int
	// Periodic jobs are enqueued by the leading process. What falls into a time without a leader is not caught up.
	Periodic []*river.PeriodicJob
	// FetchCooldown is the shortest time between two looks for jobs; zero means 20 ms.
	FetchCooldown time.Duration
	// FetchPollInterval is the longest time between two looks; zero means 1 s.
	FetchPollInterval time.Duration
	// JobTimeout ends a job's context; zero means 2 min. A job that was cut off is run again after RescueAfter.
	JobTimeout time.Duration
	// RescueAfter is when a job counts as cut off; zero means 5 min. It must be longer than JobTimeout.
	RescueAfter time.Duration
	// RetryPolicy says when a failed job is run again; nil means River's default.
	RetryPolicy river.ClientRetryPolicy
	// PollOnly never keeps a connection open to be told of new jobs (PostgreSQL).
	PollOnly bool
	// Logger is told what goes wrong. Nil: the logger of the database.
	Logger *slog.Logger
}

func (c *JobsConfig) defaults(db *DB) {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.FetchCooldown, 20*time.Millisecond)
	set(&c.FetchPollInterval, time.Second)
	set(&c.JobTimeout, 2*time.Minute)
	set(&c.RescueAfter, 5*time.Minute)
	if c.MaxWorkers == 0 {
		c.MaxWorkers = 4
	}
	if c.Logger == nil {
		c.Logger = db.log
	}
}

// Jobs is a running job engine.
type Jobs struct {
	client *river.Client[*sql.Tx]
	listen *pgxpool.Pool // nil: polling only
}

// StartJobs starts to work on jobs until Stop is called or ctx ends. A job runs at least once: after a crash it is run
// again, and on PostgreSQL a process that was frozen may go on with a job that another one has taken over. What a job
// does must therefore be guarded by the row that it names.
func (db *DB) StartJobs(ctx context.Context, cfg JobsConfig) (*Jobs, error) {
	if cfg.Workers == nil {
		return nil, errors.New("start jobs: no workers")
	}
	cfg.defaults(db)
	j := &Jobs{}
	driver := db.driver
	if db.dialect == dialectPostgres && !cfg.PollOnly && db.canListen() {
		pool, err := db.listenPool(ctx)
		if err != nil {
			return nil, err
		}
		j.listen = pool
		driver = riverdatabasesql.NewWithPgxListener(db.writeSQL, pool)
	}
	var err error
	j.client, err = river.NewClient(driver, &river.Config{
		Workers:              cfg.Workers,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: cfg.MaxWorkers}},
		PeriodicJobs:         cfg.Periodic,
		FetchCooldown:        cfg.FetchCooldown,
		FetchPollInterval:    cfg.FetchPollInterval,
		JobTimeout:           cfg.JobTimeout,
		RescueStuckJobsAfter: cfg.RescueAfter,
		RetryPolicy:          cfg.RetryPolicy,
		PollOnly:             db.dialect == dialectPostgres && j.listen == nil,
		Logger:               quiet(cfg.Logger),
	})
	if err == nil {
		err = j.client.Start(ctx)
	}
	if err != nil {
		j.close()
		return nil, failed("start jobs", err)
	}
	return j, nil
}

// canListen reports whether a connection of this URL can wait for notifications: behind a pooler that hands out
// connections for one transaction only, which needs another way of executing statements, it cannot.
func (db *DB) canListen() bool {
	return db.pool.Config().ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
}

func (db *DB) listenPool(ctx context.Context) (*pgxpool.Pool, error) {
	cfg := db.pool.Config()
	cfg.MinConns, cfg.MinIdleConns, cfg.MaxConns = 0, 0, 1
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, failed("open connection for notifications", err)
	}
	return pool, nil
}

// Stop lets running jobs finish, and returns when they have. When ctx ends first their contexts are cancelled, and they
// are run again later.
func (j *Jobs) Stop(ctx context.Context) error {
	defer j.close()
	err := j.client.Stop(ctx)
	if err == nil || ctx.Err() == nil {
		return failed("stop jobs", err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelLimit)
	defer cancel()
	if err := j.client.StopAndCancel(last); err != nil {
		return fmt.Errorf("stop jobs: %w", err)
	}
	return nil
}

// How long Stop waits for jobs whose contexts it has cancelled.
const cancelLimit = 5 * time.Second

func (j *Jobs) close() {
	if j.listen != nil {
		j.listen.Close()
	}
}
