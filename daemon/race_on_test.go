//go:build race

package daemon

// underRace: the race detector makes SQLite, which is Go code here, some thirty times slower.
const underRace = true
