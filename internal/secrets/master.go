package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Load returns the sealer of an installation. given holds keys from the
// configuration, separated by commas or line ends, each KeySize bytes in
// base64 or hex. Without any, the keys are read from file, one a line, the
// first of which seals; a file that does not exist is made with a new random
// key, readable by its owner only, and is on disk when Load returns.
func Load(given, file string) (*Sealer, error) {
	if strings.TrimSpace(given) != "" {
		return parse(given)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		text, err = create(file)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if err := private(file); err != nil {
		return nil, err
	}
	ring, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return ring, nil
}

// parse reads a list of keys. Errors do not repeat any part of them.
func parse(text string) (*Sealer, error) {
	var keys [][]byte
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if item = strings.TrimSpace(item); item == "" || strings.HasPrefix(item, "#") {
			continue
		}
		key, err := decode(item)
		if err != nil {
			return nil, fmt.Errorf("master key %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	return New(keys...)
}

func decode(text string) ([]byte, error) {
	if len(text) == hex.EncodedLen(KeySize) {
		if key, err := hex.DecodeString(text); err == nil {
			return key, nil
		}
	}
	text = strings.TrimRight(text, "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("is not %d bytes in base64 or hex", KeySize)
	}
	return key, nil
}

// create writes a new key file. The name appears only after the content is on
// disk, and the directory is synced too: secrets that are sealed with a key a
// crash could take away would be lost.
func create(file string) ([]byte, error) {
	key := make([]byte, KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	text := []byte(base64.StdEncoding.EncodeToString(key) + "\n")
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(dir, ".master-*") // made with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	// Link rather than rename: it fails when another process was first, whose
	// key is then the one to use.
	if err := os.Link(tmp.Name(), file); errors.Is(err, os.ErrExist) {
		return os.ReadFile(file)
	} else if err != nil {
		return nil, err
	}
	return text, errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// private refuses a key file that others can read.
func private(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("master key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s can be read by other users (mode %04o): chmod 600 it", file, mode)
	}
	return nil
}
