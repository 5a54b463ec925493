package oauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// leastKey is the shortest key that is taken, in octets.
const leastKey = 16

// ErrKey means that a text was sealed with another key, or for another place, or was changed since.
var ErrKey = errors.New("sealed with another key")

// ErrShortKey means that the key would be guessed too easily.
var ErrShortKey = fmt.Errorf("the key for tokens has fewer than %d octets", leastKey)

// Vault seals tokens for the database with AES-256-GCM. A sealed text opens only with the same key and for the same
// purpose, so that rows cannot be exchanged.
type Vault struct{ aead cipher.AEAD }

// sealed starts every sealed text, so that the form can change one day.
const sealed = "v1:"

// NewVault makes a Vault from a key text of at least 16 octets, which should be random.
func NewVault(key string) (*Vault, error) {
	if len(key) < leastKey {
		return nil, ErrShortKey
	}
	raw, err := hkdf.Key(sha256.New, []byte(key), nil, "kontrol oauth tokens", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key for tokens: %w", err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("prepare the key for tokens: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("prepare the key for tokens: %w", err)
	}
	return &Vault{aead}, nil
}

// Seal seals a text for a purpose. The empty text stays empty.
func (v *Vault) Seal(text, purpose string) string {
	if text == "" {
		return ""
	}
	return sealed + base64.RawStdEncoding.EncodeToString(v.aead.Seal(nil, nil, []byte(text), []byte(purpose)))
}

// Open opens what Seal gave. Its error is ErrKey.
func (v *Vault) Open(text, purpose string) (string, error) {
	if text == "" {
		return "", nil
	}
	rest, ok := strings.CutPrefix(text, sealed)
	raw, err := base64.RawStdEncoding.DecodeString(rest)
	if !ok || err != nil {
		return "", ErrKey
	}
	plain, err := v.aead.Open(nil, nil, raw, []byte(purpose))
	if err != nil {
		return "", ErrKey
	}
	return string(plain), nil
}

// KeyFile returns the key in the file at path. With create a missing file is made, readable by its owner only, with a
// random key; of several processes that do so at once all get the same. Without create the error of a missing file is
// fs.ErrNotExist.
func KeyFile(path string, create bool) (string, error) {
	key, err := readKey(path)
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(path); err != nil {
		return "", err
	}
	return readKey(path)
}

func readKey(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the key for tokens: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// makeKey writes the key under another name first, so that nobody ever sees half of it.
func makeKey(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".kontrol-key-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("make the key for tokens: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(rand.Text() + rand.Text() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the key for tokens: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the key for tokens: %w", err)
	}
	return nil
}
