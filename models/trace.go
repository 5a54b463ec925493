package models

import "database/sql/driver"

// Trace is the reasoning of a decision in the order in which it was done, stored as JSON text.
type Trace []Step

// Value stores the trace as JSON text.
func (t Trace) Value() (driver.Value, error) {
	if t == nil {
		t = Trace{}
	}
	return jsonText(t)
}

// Scan reads what Value wrote.
func (t *Trace) Scan(src any) error { *t = nil; return scanJSON(src, t) }
