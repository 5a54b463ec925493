package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/pelletier/go-toml/v2"

	"kontrol/models"
)

// fileCap is the size of the largest config that is read, in octets; a department's has a few thousand.
const fileCap = 1 << 20

// Load reads the config file at path, puts environment variables (EnvNames) over it, fills in the defaults and checks
// everything. env looks a variable up, like os.Getenv; it is also asked for secrets later. The error is always *Errors
// with everything that is wrong, except that a file which is not TOML at all has one error only. A config that is
// returned may still have Warnings.
func Load(path string, env func(string) string) (*Config, error) {
	return load(path, env, false)
}

// LoadOffline is Load for commands that only look at the database: it does not ask whether passwords and certificates
// are there, because whoever runs such a command may have neither the daemon's environment nor its rights.
func LoadOffline(path string, env func(string) string) (*Config, error) {
	return load(path, env, true)
}

func load(path string, env func(string) string, offline bool) (*Config, error) {
	data, err := read(path)
	if err != nil {
		id := "config.unreadable"
		if errors.Is(err, fs.ErrNotExist) {
			id = "config.missing_file"
		}
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, newErrors(languages()[0], []*FieldError{{File: path, Phrase: models.Say(id, "Detail", err.Error())}})
	}
	return parse(path, data, env, offline)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, fileCap+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(data) > fileCap {
		return nil, fmt.Errorf("the file is larger than %d octets", fileCap)
	}
	return data, nil
}

// parse is Load for a file that has been read.
func parse(path string, data []byte, env func(string) string, offline bool) (*Config, error) {
	if env == nil {
		env = func(string) string { return "" }
	}
	language := wantedLanguage(data)
	one := func(line int, p models.Phrase) error {
		return newErrors(language, []*FieldError{{File: path, Line: line, Phrase: p}})
	}
	text, line, p := soundText(data)
	if !p.IsZero() {
		return nil, one(line, p)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, one(0, models.Say("config.unreadable", "Detail", err.Error()))
	}
	doc := readDocument(text)
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		return nil, one(syntaxError(err, text, doc))
	}
	cfg := Default()
	cfg.file, cfg.dir, cfg.env = path, dir, env
	c := &checker{cfg: cfg, doc: doc, offline: offline, keys: Keys(), failed: map[string]bool{}, origin: map[string]string{}}
	c.table("", tree, reflect.ValueOf(cfg).Elem())
	c.override()
	c.presets()
	cfg.inherit()
	c.all()
	if len(c.found) > 0 {
		return nil, newErrors(language, c.found)
	}
	return cfg, nil
}

// checker gathers what is wrong with one config.
type checker struct {
	cfg     *Config
	doc     *document
	keys    []string // every key there is, see Keys
	found   []*FieldError
	failed  map[string]bool   // keys that have been complained about; one error for a key is enough
	offline bool              // what lies outside of the file is not looked for
	origin  map[string]string // key → environment variable that it came from
}

// add reports what is wrong with a key, unless something has been said about it, or about what it lies in, already.
func (c *checker) add(path string, p models.Phrase) {
	if c.isFailed(path) {
		return
	}
	c.failed[path] = true
	e := &FieldError{File: c.cfg.file, Line: c.doc.line(path), Key: path, Phrase: p}
	if name := c.origin[path]; name != "" {
		e.File, e.Line = name, 0
	}
	c.found = append(c.found, e)
}

func (c *checker) isFailed(path string) bool {
	for ; path != ""; path = parent(path) {
		if c.failed[path] {
			return true
		}
	}
	return false
}

func (c *checker) warn(p models.Phrase) { c.cfg.warnings = append(c.cfg.warnings, p) }
