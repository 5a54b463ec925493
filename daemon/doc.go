// Package daemon is the running program. App builds everything in one straight function and owns every goroutine; Intake
// takes one batch of letters from the mailbox engine through understanding, linking and deciding into one transaction.
// This is the only place where the leaf packages meet.
package daemon
