package imapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"kontrol/models"
)

// Names are the folders as the config names them. "/" separates levels whatever the server uses. An empty name is looked
// for, and made if it is not there: «Обработанные письма», «На контроле» and the folder of sent letters.
type Names struct {
	Sent, Processed, Control string
}

const (
	defaultProcessed = "Обработанные письма"
	defaultControl   = "На контроле"
	defaultSent      = "Sent"
	maxLevel         = 60 // letters of one level of a folder name; more is refused by many servers in Cyrillic
)

// sentNames are what folders of sent letters are called, best guess first.
func sentNames() []string {
	return []string{
		"Отправленные", "Sent", "Sent Items", "Sent Messages", "Исходящие", "Отправленные письма",
		"Отправленные элементы", "Отправленные сообщения", "Sent Mail", "INBOX.Sent",
	}
}

// CheckFolderName reports why a configured folder name cannot be used on common servers. The error can be told to a
// person.
func CheckFolderName(name string) error {
	bad := func(why string) error {
		return &models.Told{
			Phrase: models.Say("imap.folder_name", "Name", cleanText([]byte(name))),
			Err:    fmt.Errorf("folder name %q: %s", name, why),
		}
	}
	if !utf8.ValidString(name) || len(name) > 400 {
		return bad("not valid UTF-8, or too long")
	}
	for _, level := range strings.Split(name, "/") {
		switch {
		case level == "" || strings.TrimSpace(level) != level:
			return bad("a level is empty, or begins or ends with a blank")
		case strings.ContainsAny(level, `.|%*"\&#~`):
			return bad("a character that servers refuse")
		case utf8.RuneCountInString(level) > maxLevel:
			return bad("a level is too long")
		case strings.ContainsFunc(level, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }):
			return bad("a control character")
		}
	}
	return nil
}

// homer is a Session that knows where its personal folders live.
type homer interface {
	home(ctx context.Context) (prefix, delim string, err error)
}

// resolver looks up the folders of one mailbox.
type resolver struct {
	s             Session
	list          []Listed
	prefix, delim string
	notes         []string
}

// ResolveFolders finds the folders for the four roles, and makes what is missing. A configured name comes first, then a
// special use (\Sent), then well-known names. The answer has MailboxID, ids and cursors empty. Notes are for the log. An
// empty list of folders is a temporary error: a server that hides everything for a moment must not cost us what we know.
func ResolveFolders(ctx context.Context, s Session, names Names) (map[models.FolderRole]models.Folder, []string, error) {
	return findFolders(ctx, s, names, true)
}

// LookUpFolders is ResolveFolders without making anything: roles whose folder does not exist are missing from the answer.
func LookUpFolders(ctx context.Context, s Session, names Names) (map[models.FolderRole]models.Folder, []string, error) {
	return findFolders(ctx, s, names, false)
}

func findFolders(ctx context.Context, s Session, names Names, create bool) (map[models.FolderRole]models.Folder, []string, error) {
	for _, n := range []string{names.Sent, names.Processed, names.Control} {
		if n != "" && !isServerPath(n) {
			if err := CheckFolderName(n); err != nil {
				return nil, nil, err
			}
		}
	}
	r := &resolver{s: s}
	if err := r.load(ctx); err != nil {
		return nil, nil, err
	}
	found := map[models.FolderRole]models.Folder{
		models.FolderInbox: {Role: models.FolderInbox, Name: "INBOX", Delimiter: r.delim},
	}
	for _, want := range []struct {
		role models.FolderRole
		find func() (Listed, bool)
		make string
	}{
		{models.FolderSent, func() (Listed, bool) { return r.sent(names.Sent) }, or(names.Sent, defaultSent)},
		{models.FolderProcessed, func() (Listed, bool) { return r.named(or(names.Processed, defaultProcessed)) }, or(names.Processed, defaultProcessed)},
		{models.FolderControl, func() (Listed, bool) { return r.named(or(names.Control, defaultControl)) }, or(names.Control, defaultControl)},
	} {
		f, ok := want.find()
		if !ok && !create {
			continue
		}
		if !ok {
			var err error
			if f, err = r.create(ctx, want.make); err != nil {
				return nil, r.notes, fmt.Errorf("make folder %q: %w", want.make, err)
			}
		}
		found[want.role] = models.Folder{Role: want.role, Name: f.Name, Delimiter: f.Delimiter}
	}
	return found, r.notes, r.distinct(ctx, found)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// isServerPath reports a name that is written as servers with the INBOX. prefix show it. Such a name is taken as it is.
func isServerPath(name string) bool {
	rest, ok := strings.CutPrefix(name, "INBOX.")
	return ok && rest != "" && CheckFolderName(strings.ReplaceAll(rest, ".", "/")) == nil
}

func (r *resolver) load(ctx context.Context) error {
	list, err := r.s.List(ctx)
	if err != nil {
		return fmt.Errorf("list folders: %w", err)
	}
	if len(list) == 0 {
		return models.Temporary(errors.New("list folders: the server shows none"))
	}
	r.list = list
	if h, ok := r.s.(homer); ok {
		r.prefix, r.delim, err = h.home(ctx)
		return err
	}
	r.prefix, r.delim = inferHome(list)
	return nil
}

// key is what names are compared by here: composed, without case.
func key(name string) string { return strings.ToLower(norm.NFC.String(name)) }

// named finds a folder by its configured name, with or without the prefix; the exact spelling is preferred.
func (r *resolver) named(name string) (Listed, bool) {
	path := r.path(name)
	candidates := []string{path, resolve(path, r.prefix)}
	for _, equal := range []func(a, b string) bool{sameName, func(a, b string) bool { return key(a) == key(b) }} {
		for _, c := range candidates {
			for _, f := range r.list {
				if equal(f.Name, c) {
					return f, true
				}
			}
		}
	}
	return Listed{}, false
}

// path turns the "/" of the config into the server's delimiter.
func (r *resolver) path(name string) string {
	if isServerPath(name) || r.delim == "" || r.delim == "/" {
		return name
	}
	return strings.ReplaceAll(name, "/", r.delim)
}

// sent finds the folder of sent letters.
func (r *resolver) sent(configured string) (Listed, bool) {
	if configured != "" {
		return r.named(configured)
	}
	var special []Listed
	for _, f := range r.list {
		if hasAttr(f.Attrs, `\Sent`) && !strings.EqualFold(f.Name, "INBOX") {
			special = append(special, f)
		}
	}
	if len(special) > 1 {
		r.notes = append(r.notes, fmt.Sprintf("%d folders are marked as sent; using %q", len(special), special[0].Name))
	}
	var byName []Listed
	for _, n := range sentNames() {
		if f, ok := r.named(n); ok && !slices.ContainsFunc(byName, func(o Listed) bool { return o.Name == f.Name }) {
			byName = append(byName, f)
		}
	}
	if len(special) > 0 {
		for _, f := range byName {
			if f.Name != special[0].Name {
				r.notes = append(r.notes, fmt.Sprintf("folder %q also looks like sent letters; using %q", f.Name, special[0].Name))
			}
		}
		return special[0], true
	}
	if len(byName) > 1 {
		r.notes = append(r.notes, fmt.Sprintf("%d folders look like sent letters; using %q", len(byName), byName[0].Name))
	}
	if len(byName) > 0 {
		return byName[0], true
	}
	return Listed{}, false
}

// create makes a folder and finds out under which name the server has it.
func (r *resolver) create(ctx context.Context, name string) (Listed, error) {
	if r.delim == "" && strings.Contains(name, "/") {
		return Listed{}, &models.Told{
			Phrase: models.Say("imap.folder_flat", "Name", name),
			Err:    fmt.Errorf("folder %q: the server has no levels", name),
		}
	}
	if err := r.s.Create(ctx, resolve(r.path(name), r.prefix)); err != nil {
		return Listed{}, err
	}
	if err := r.load(ctx); err != nil {
		return Listed{}, err
	}
	f, ok := r.named(name)
	if !ok {
		return Listed{}, models.Temporary(errors.New("the server made the folder but does not list it"))
	}
	r.notes = append(r.notes, fmt.Sprintf("made folder %q", f.Name))
	return f, nil
}

// distinct makes sure that no two roles share a folder, be it under two names: INBOX.X and X are one folder on some
// servers, and moving from one to the other would never end. The server is asked only about names that may be one.
func (r *resolver) distinct(ctx context.Context, found map[models.FolderRole]models.Folder) error {
	roles := []models.FolderRole{models.FolderInbox, models.FolderSent, models.FolderProcessed, models.FolderControl}
	for i, role := range roles {
		for _, before := range roles[:i] {
			name, other := found[role].Name, found[before].Name
			same := sameName(other, name) && name != ""
			if !same && name != "" && other != "" && aliases(other, name, r.delim) {
				var err error
				if same, err = r.alike(ctx, other, name); err != nil {
					return err
				}
			}
			if same {
				return &models.Told{
					Phrase: models.Say("imap.folder_twice", "Name", name, "Other", other),
					Err:    fmt.Errorf("folders %q and %q are one", other, name),
				}
			}
		}
	}
	return nil
}

// alike reports whether two folders that are not empty have the same numbers.
func (r *resolver) alike(ctx context.Context, a, b string) (bool, error) {
	var said [2]Selected
	for i, name := range []string{a, b} {
		st, err := r.s.Status(ctx, name)
		var refused *StatusError
		if errors.As(err, &refused) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		said[i] = Selected{UIDValidity: st.UIDValidity, UIDNext: st.UIDNext, Messages: st.Messages}
	}
	return said[0] == said[1] && said[0].Messages > 0, nil
}

// aliases reports whether two names differ only by INBOX before one of them.
func aliases(a, b, delim string) bool {
	in := "INBOX" + delim
	return key(strings.TrimPrefix(a, in)) == key(strings.TrimPrefix(b, in))
}
