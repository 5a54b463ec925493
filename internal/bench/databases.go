package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kontrol/internal/postgres"
)

// databases is the private PostgreSQL, started when somebody needs it.
type databases struct {
	srv *postgres.Server
	n   int
}

func (d *databases) stop() { d.srv.Stop() }

// freshDatabase returns the URL of an empty database. The server syncs to disk, as a real one does.
func (w *world) freshDatabase(ctx context.Context) (string, error) {
	if w.pg == nil {
		srv, err := postgres.Start(ctx, postgres.Options{})
		if err != nil {
			return "", err
		}
		w.pg = &databases{srv: srv}
	}
	conn, err := pgx.Connect(ctx, w.pg.srv.URL("postgres"))
	if err != nil {
		return "", fmt.Errorf("reach postgresql: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if w.pg.n > 0 {
		if _, err := conn.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS bench%d", w.pg.n)); err != nil {
			return "", err
		}
	}
	w.pg.n++
	name := fmt.Sprintf("bench%d", w.pg.n)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	return w.pg.srv.URL(name), nil
}
