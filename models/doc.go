// Package models holds the nouns of the trade as plain structs: who works here, which letters came, where they lie,
// whose they are, and what was decided about them. It imports the standard library only; the gorm tags are strings.
//
// Conventions that hold for every struct here:
//   - instants are UTC; a pointer to a time is nil when the thing has not happened;
//   - the zero ID means "not stored yet"; the store assigns IDs;
//   - e-mail addresses are normalised (see NormalAddress) wherever a field says so;
//   - Strings and Phrase are stored as JSON text, the same on PostgreSQL and SQLite.
package models
