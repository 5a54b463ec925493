package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"kontrol/config"
	"kontrol/daemon"
	"kontrol/imapsync"
	"kontrol/locale"
	"kontrol/models"
)

// Options say how the demo is played.
type Options struct {
	Out    io.Writer
	Log    *slog.Logger
	Texts  *locale.Texts
	Colour bool
	Width  int           // columns of the terminal; 0: not a terminal
	Length time.Duration // of the whole day; 0 means a minute
	Exit   bool          // end after the summary instead of staying up
	Ready  func()        // called when the summary has been printed and the demo stays up; may be nil
}

// ErrWrong is returned when a letter is not where it has to be.
var ErrWrong = errors.New("letters are not where they should be")

// Run plays the day and returns when it is over (Exit) or when ctx ends. It returns ErrWrong when a letter is not where the
// procedure says, and another error when the day could not be played to its end. Everything it makes is in a temporary
// folder that is gone afterwards.
func Run(ctx context.Context, o Options) error {
	d, err := loadDay()
	if err != nil {
		return err
	}
	return playDay(ctx, d, o)
}

// playDay is Run with a day of the caller's.
func playDay(ctx context.Context, d *day, o Options) error {
	dir, err := os.MkdirTemp("", "kontrol-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder; the system clears what is left
	h, err := openHouse(d)
	if err != nil {
		return err
	}
	defer h.close()
	app, path, err := startDaemon(ctx, d, h, dir, o)
	if err != nil {
		return err
	}
	stop, stopped := runDaemon(ctx, app)
	defer func() { stop(); <-stopped }()

	show := &screen{w: o.Out, texts: o.Texts, colour: o.Colour, width: o.Width}
	show.title(models.Say("demo.title", "Company", d.Company))
	show.say(models.Say("demo.intro", "Folder", dir))
	h.invite(show)
	now := time.Now().In(o.Texts.Zone())
	p := &player{
		day: d, house: h, show: show, letters: map[string]*letter{},
		eyes: &eyes{db: app.DB(), texts: o.Texts, show: show, told: map[int64]bool{}},
		date: time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, o.Texts.Zone()),
	}
	length := o.Length
	if length == 0 {
		length = time.Minute
	}
	if err := p.play(ctx, length/time.Duration(len(d.Steps))); err != nil {
		return err
	}
	return p.conclude(ctx, o, path)
}

// conclude prints the summary, and keeps the demo up unless it is to end.
func (p *player) conclude(ctx context.Context, o Options, configPath string) error {
	list, err := p.verdicts(ctx)
	if err != nil {
		return err
	}
	p.show.line("")
	p.show.title(models.Say("demo.summary"))
	var result error
	if wrong := p.show.summary(list); wrong > 0 {
		p.show.say(models.Say("demo.wrong", "Count", wrong))
		result = ErrWrong
	} else {
		p.show.say(models.Say("demo.right"))
	}
	if o.Exit {
		return result
	}
	p.show.line("")
	p.house.invite(p.show)
	p.show.say(models.Say("demo.stay"))
	p.show.say(models.Say("demo.why_hint", "Config", configPath))
	if o.Ready != nil {
		o.Ready()
	}
	<-ctx.Done()
	p.show.say(models.Say("demo.stopped"))
	return result
}

// verdicts asks the mail server where the day's letters lie.
func (p *player) verdicts(ctx context.Context) ([]verdict, error) {
	var list []verdict
	for _, l := range p.order {
		if l.step.Expect == "" {
			continue
		}
		where, err := p.house.find(ctx, l)
		if err != nil {
			return nil, err
		}
		from := l.from.Name
		if c := p.day.clientByAddress(l.from.Address); c != nil {
			from = c.Name
		}
		list = append(list, verdict{manager: p.name(l.manager), from: from, subject: l.subject, is: where, want: l.step.Expect})
	}
	return list, nil
}

// startDaemon writes the demo's config, loads it as any other, and builds the daemon and the clients.
func startDaemon(ctx context.Context, d *day, h *house, dir string, o Options) (*daemon.App, string, error) {
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(h.config(d)), 0o600); err != nil {
		return nil, "", fmt.Errorf("write the demo's config: %w", err)
	}
	cfg, err := config.Load(path, func(string) string { return "" })
	if err != nil {
		return nil, "", fmt.Errorf("load the demo's config: %w", err)
	}
	app, err := daemon.New(ctx, daemon.Options{
		Config: cfg, Logger: o.Log, Timing: imapsync.Timing{StatusEvery: 2 * time.Second},
		Load: func() (*config.Config, error) { return config.Load(path, func(string) string { return "" }) },
	})
	if err != nil {
		return nil, "", fmt.Errorf("start the daemon: %w", err)
	}
	if err := storeClients(ctx, app.DB(), d); err != nil {
		app.Close()
		return nil, "", err
	}
	return app, path, nil
}

// runDaemon runs the daemon beside the demo. The channel is closed when it has stopped.
func runDaemon(ctx context.Context, app *daemon.App) (stop func(), stopped <-chan struct{}) {
	ctx, stop = context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = app.Run(ctx) // a mailbox in trouble shows as a step that does not settle
	}()
	return stop, done
}
