package store_test

import (
	"testing"

	"kontrol/store"
	"kontrol/store/storetest"
)

// TestModelsMatchMigrations lets gorm compare the structs of models with the migrated schema: it must find nothing to do.
func TestModelsMatchMigrations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ddl, err := store.Drift(db)
		must(t, err)
		for _, statement := range ddl {
			t.Errorf("models and migrations differ: %s", statement)
		}
	})
}
