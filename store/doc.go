// Package store keeps what Kontrol knows in a SQLite file or a PostgreSQL database, the same way in both. It is the only
// package that knows gorm, the migrations and the insert side of the job engine; everybody else sees structs of package
// models and errors of package models.
//
// Reading goes through DB.Read, writing through DB.Tx; a job is enqueued with Tx.Enqueue and so exists exactly when the
// business change beside it does. Methods that take many ids need a number of statements that does not grow with the
// number of rows found, only with one chunk of 500 ids each.
//
// Errors: what is not there is models.ErrNotFound, what exists already models.ErrDuplicate; a lost connection, a busy or
// full database is marked by models.Temporary; errors that a person can do something about carry a phrase (models.Told).
// No error and no log line holds a password, a subject or a text of a letter.
package store
