package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"kontrol/config"
	"kontrol/models"
	"kontrol/rules"
	"kontrol/store"
)

// seedMain is the command `seed` of the scripts: it opens the database of ./config.toml and puts a morning of a sales
// department into it, through the same calls as the daemon. It is not part of the program.
func seedMain() {
	if err := seed(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a command of the scripts ends its process
	}
}

// morning is the day of all scripts: 23.11.2026 10:00 in Moscow.
func morning(minutes int) time.Time {
	return time.Date(2026, 11, 23, 7, minutes, 0, 0, time.UTC)
}

// seeder holds what the steps of seed share.
type seeder struct {
	db      *store.DB
	clock   *time.Time
	boxes   []models.Mailbox
	folders map[models.FolderRole]models.Folder // of the first mailbox
	client  store.ClientCard
	deal    models.Deal
	asked   models.Letter
	inbox   models.Location
}

func seed(ctx context.Context) (err error) {
	cfg, err := config.Load("config.toml", os.Getenv)
	if err != nil {
		return err
	}
	clock := morning(0)
	db, err := store.Open(ctx, store.Config{URL: cfg.DatabaseURL(), AutoMigrateSchema: true, Now: func() time.Time { return clock }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := &seeder{db: db, clock: &clock, folders: map[models.FolderRole]models.Folder{}}
	steps := []struct {
		minute int
		do     func(ctx context.Context, tx *store.Tx) error
	}{{0, s.people}, {1, s.trade}, {5, s.question}, {6, s.linkAgain}, {40, s.answer}, {50, s.trick}, {55, s.trouble}}
	for _, step := range steps {
		clock = morning(step.minute)
		if err := db.Tx(ctx, func(tx *store.Tx) error { return step.do(ctx, tx) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) people(ctx context.Context, tx *store.Tx) error {
	people := []models.Manager{{Name: "Анна Иванова", Email: "ivanova@firma.example", Role: models.RoleManager, Timezone: "Europe/Moscow"}}
	if err := tx.SyncManagers(ctx, people); err != nil {
		return err
	}
	s.boxes = []models.Mailbox{
		{Address: "ivanova@firma.example", Kind: models.MailboxPersonal, ManagerID: &people[0].ID, Aliases: models.Strings{"anna@firma.example"}},
		{Address: "sales@firma.example", Kind: models.MailboxShared},
	}
	if err := tx.SyncMailboxes(ctx, s.boxes); err != nil {
		return err
	}
	names := map[models.FolderRole]string{models.FolderInbox: "INBOX", models.FolderSent: "Sent",
		models.FolderProcessed: "Обработанные письма", models.FolderControl: "На контроле"}
	for _, role := range []models.FolderRole{models.FolderInbox, models.FolderSent, models.FolderProcessed, models.FolderControl} {
		at := morning(0)
		f := models.Folder{MailboxID: s.boxes[0].ID, Role: role, Name: names[role], Delimiter: "/", UIDValidity: 7, SyncedAt: &at}
		if err := tx.SaveFolder(ctx, &f); err != nil {
			return err
		}
		s.folders[role] = f
	}
	return nil
}

func (s *seeder) trade(ctx context.Context, tx *store.Tx) error {
	s.client = store.ClientCard{Client: models.Client{Name: "ООО «Ромашка»"}, Contacts: []store.ContactCard{{
		Contact: models.Contact{Name: "Иван Петров"}, Points: []models.ContactPoint{{Kind: models.PointEmail, Value: "ivan@romashka.example"}}}}}
	if err := tx.CreateClient(ctx, &s.client, "ivanova@firma.example"); err != nil {
		return err
	}
	s.deal = models.Deal{ClientID: s.client.ID, Title: "Насосы"}
	return tx.CreateDeal(ctx, &s.deal, "ivanova@firma.example")
}

// letter stores a letter and one copy of it.
func (s *seeder) letter(ctx context.Context, tx *store.Tx, l *models.Letter, role models.FolderRole, uid uint32, refs ...string) (models.Location, error) {
	if l.ThreadID == 0 {
		t := models.Thread{BaseSubject: l.BaseSubject, LastAt: l.ArrivedAt}
		if err := tx.CreateThread(ctx, &t); err != nil {
			return models.Location{}, err
		}
		l.ThreadID = t.ID
	}
	l.Fingerprint = "fp-" + l.MessageID
	if _, err := tx.UpsertLetter(ctx, l, refs); err != nil {
		return models.Location{}, err
	}
	at := models.Location{LetterID: l.ID, MailboxID: s.boxes[0].ID, FolderID: s.folders[role].ID, UIDValidity: 7, UID: uid, SeenAt: *s.clock}
	_, err := tx.AddLocation(ctx, &at)
	return at, err
}

func (s *seeder) question(ctx context.Context, tx *store.Tx) error {
	s.asked = models.Letter{MessageID: "ask@romashka.example", Direction: models.Inbound, Class: models.ClassPerson,
		FromAddress: "ivan@romashka.example", FromName: "Иван Петров", To: models.Strings{"ivanova@firma.example"},
		Subject: "Цена на насосы", BaseSubject: "цена на насосы", ArrivedAt: morning(5), Size: 2048,
		Text: "Добрый день!\nСколько стоят три насоса?"}
	var err error
	if s.inbox, err = s.letter(ctx, tx, &s.asked, models.FolderInbox, 5); err != nil {
		return err
	}
	if err := tx.AddLink(ctx, &models.Link{LetterID: s.asked.ID, ClientID: s.client.ID, Method: models.LinkDomain,
		Evidence: models.Say("deals.link.domain", "Party", models.Say("deals.party.from", "Address", "ivan@romashka.example"),
			"Domain", "romashka.example", "Client", s.client.Name)}); err != nil {
		return err
	}
	if _, err := tx.AddEvent(ctx, &models.Event{Kind: models.EventLetterArrived, LetterID: &s.asked.ID}); err != nil {
		return err
	}
	_, err = s.decide(ctx, tx, nil)
	return err
}

func (s *seeder) linkAgain(ctx context.Context, tx *store.Tx) error {
	return tx.AddLink(ctx, &models.Link{LetterID: s.asked.ID, ClientID: s.client.ID, DealID: &s.deal.ID, Method: models.LinkAddress,
		Evidence: models.Say("deals.link.address", "Party", models.Say("deals.party.from", "Address", "ivan@romashka.example"), "Client", s.client.Name)})
}

// decide asks the rules about the question, as the daemon does.
func (s *seeder) decide(ctx context.Context, tx *store.Tx, thread []rules.Sibling) (models.Decision, error) {
	d := rules.Decide(rules.Facts{Letter: s.asked, Copy: rules.Copy{FolderRole: models.FolderInbox}, Thread: thread,
		Client: &s.client.Client, ClientAddresses: []string{"ivan@romashka.example"}, Now: *s.clock,
		Deals: []rules.Deal{{Number: s.deal.Number, Title: s.deal.Title, StageName: "Новая", StageKind: models.StageOpen, Linked: true}}})
	d.LetterID, d.LocationID, d.MailboxID = s.asked.ID, s.inbox.ID, s.boxes[0].ID
	return d, tx.AddDecision(ctx, &d)
}

func (s *seeder) answer(ctx context.Context, tx *store.Tx) error {
	l := models.Letter{MessageID: "re@firma.example", ThreadID: s.asked.ThreadID, Direction: models.Outbound, Class: models.ClassPerson,
		FromAddress: "ivanova@firma.example", FromName: "Анна Иванова", To: models.Strings{"ivan@romashka.example"},
		Subject: "Re: Цена на насосы", BaseSubject: "цена на насосы", ArrivedAt: morning(39)}
	if _, err := s.letter(ctx, tx, &l, models.FolderSent, 3, s.asked.MessageID); err != nil {
		return err
	}
	d, err := s.decide(ctx, tx, []rules.Sibling{{Letter: l, References: []string{s.asked.MessageID}, Sent: true, MailboxAddress: "ivanova@firma.example"}})
	if err != nil {
		return err
	}
	f := models.Filing{LocationID: s.inbox.ID, TargetFolderID: s.folders[d.Target].ID, DecisionID: &d.ID}
	if err := tx.PlanFiling(ctx, &f); err != nil {
		return err
	}
	sent := *s.clock
	f.State, f.SentAt, f.Attempts = models.FilingSent, &sent, 1
	if err := tx.SaveFiling(ctx, &f); err != nil {
		return err
	}
	f.State, f.DestUIDValidity, f.DestUID = models.FilingDone, 7, 12
	return tx.FinishFiling(ctx, &f)
}

// trick stores a stranger's letter that tries to command the terminal and the spreadsheet.
func (s *seeder) trick(ctx context.Context, tx *store.Tx) error {
	l := models.Letter{MessageID: "trick@evil.example", Direction: models.Inbound, Class: models.ClassPerson,
		FromAddress: "x@evil.example", FromName: "=cmd\x1b[2J\x1b]0;взлом\a", To: models.Strings{"sales@firma.example"},
		Subject: "счёт\u202efdp.exe\r\nподделка", BaseSubject: "счёт", ArrivedAt: morning(50), Size: 10}
	_, err := s.letter(ctx, tx, &l, models.FolderInbox, 6)
	return err
}

// trouble stops a mailbox, fails a move and puts a letter into quarantine.
func (s *seeder) trouble(ctx context.Context, tx *store.Tx) error {
	if err := tx.SetMailboxState(ctx, s.boxes[1].ID, models.MailboxStopped, models.Say("cli.error.interrupted")); err != nil {
		return err
	}
	if err := tx.AddQuarantine(ctx, &models.Quarantine{MailboxID: s.boxes[0].ID, FolderID: s.folders[models.FolderInbox].ID,
		UIDValidity: 7, UID: 9, Reason: "the server's answer cannot be read"}); err != nil {
		return err
	}
	l := models.Letter{MessageID: "list@shop.example", Direction: models.Inbound, Class: models.ClassList, FromAddress: "news@shop.example",
		Subject: "", ArrivedAt: morning(52)}
	at, err := s.letter(ctx, tx, &l, models.FolderInbox, 8)
	if err != nil {
		return err
	}
	f := models.Filing{LocationID: at.ID, TargetFolderID: s.folders[models.FolderControl].ID}
	if err := tx.PlanFiling(ctx, &f); err != nil {
		return err
	}
	f.State, f.Attempts, f.LastError = models.FilingFailed, 3, "NO [OVERQUOTA] full"
	return tx.FinishFiling(ctx, &f)
}
