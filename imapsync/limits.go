package imapsync

import "time"

const (
	// fetchBatch is how many letters from quarantine are offered to the intake at once.
	fetchBatch = 50
	// smallFolder is the number of letters up to which a folder is compared completely on every event.
	smallFolder = 500
	// A vanish of more than massVanish letters and more than half of what is known needs a second look.
	massVanish = 20
	// believeTries is how often a folder is looked at again until its count agrees with its list.
	believeTries = 3
	// patience times MaxAttempts is how often a letter whose fate is unknown is looked for on a server that does not let
	// us look. Looking does no harm, giving up does.
	patience = 4
	// loginRefusals is how many refused logins in a row stop a mailbox.
	loginRefusals = 3
	// recreations is how often a folder that has gone is made again.
	recreations = 2
	// poisonTries is how often a letter that the intake cannot take is offered before it goes into quarantine.
	poisonTries = 3
	// driftLooks is how often a folder whose numbers keep differing is looked at again without a pause.
	driftLooks = 3
)

// Timing says how often a Syncer looks and how long it waits. Zero fields get the value named with them.
type Timing struct {
	IdleSlice   time.Duration // 4 min: the longest IDLE; after it the connection is proved alive and everything polled
	PollEvery   time.Duration // 25 s: how often INBOX and Sent are looked at without IDLE or with one connection only
	StatusEvery time.Duration // 1 min: how often the folders that nobody idles on are asked for changes
	FullSoon    time.Duration // 5 min: how often INBOX and Sent are compared completely where there are no mod-sequences
	FullLate    time.Duration // 1 h: the same for the other folders, and for all where there are
	FullSure    time.Duration // 24 h: how often even a folder that has not changed by the server's numbers is compared
	MoveEvery   time.Duration // 1 s: how long moves wait at most while many letters are taken in
	FirstRetry  time.Duration // 1 s: the wait after the first lost connection, doubled each time
	DialRetry   time.Duration // 5 s: the wait after the first connection that did not come about, doubled each time
	LastRetry   time.Duration // 15 min: the longest such wait, and the wait after a failure that is not temporary
	LoginRetry  time.Duration // 1 min: the wait after a refused login; five times as long after the second
	DoubtFor    time.Duration // 30 min: how long logins must be refused without a code before that stops the mailbox
	SecondRetry time.Duration // 1 min: the wait before a refused second connection is tried again, doubled up to 15 min
	Healthy     time.Duration // 5 min: a connection that has lived so long clears the memory of lost ones
	Grace       time.Duration // 5 s: how long the command under way may still take when Run is told to end
	HealthEvery time.Duration // 30 s: how often "all is well" is stored at most
}

func (t Timing) filled() Timing {
	return Timing{
		IdleSlice:   orDuration(t.IdleSlice, 4*time.Minute),
		PollEvery:   orDuration(t.PollEvery, 25*time.Second),
		StatusEvery: orDuration(t.StatusEvery, time.Minute),
		FullSoon:    orDuration(t.FullSoon, 5*time.Minute),
		FullLate:    orDuration(t.FullLate, time.Hour),
		FullSure:    orDuration(t.FullSure, 24*time.Hour),
		MoveEvery:   orDuration(t.MoveEvery, time.Second),
		FirstRetry:  orDuration(t.FirstRetry, time.Second),
		DialRetry:   orDuration(t.DialRetry, 5*time.Second),
		LastRetry:   orDuration(t.LastRetry, 15*time.Minute),
		DoubtFor:    orDuration(t.DoubtFor, 30*time.Minute),
		LoginRetry:  orDuration(t.LoginRetry, time.Minute),
		SecondRetry: orDuration(t.SecondRetry, time.Minute),
		Healthy:     orDuration(t.Healthy, 5*time.Minute),
		Grace:       orDuration(t.Grace, 5*time.Second),
		HealthEvery: orDuration(t.HealthEvery, 30*time.Second),
	}
}
