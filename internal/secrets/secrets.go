// Package secrets seals short texts, such as the API keys of model providers,
// so that the log and everything derived from it hold only their sealed form,
// and wraps other keys.
//
// A sealed text reads "sealed:v1:<key id>:<base64>". The base64 part is a
// random nonce and the text encrypted with AES-256-GCM; the part before it is
// authenticated too. The key id tells which key opens it, so a new key can be
// put in front of the old ones: it seals from then on, the old ones still open
// what they sealed.
package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

const prefix = "sealed:v1:"

// ErrNotSealed says that a text was never sealed, or not by this version.
var ErrNotSealed = errors.New("the text is not sealed")

// ErrUnknownKey says that none of the keys at hand sealed a text.
var ErrUnknownKey = errors.New("no key at hand opens the sealed text")

// ErrDamaged says that a sealed text was changed after it was sealed.
var ErrDamaged = errors.New("the sealed text is damaged")

// Sealer seals and opens. It is safe for concurrent use.
type Sealer struct {
	current string // id of the key that seals
	root    []byte // that key
	keys    map[string]cipher.AEAD
}

// New makes a sealer. The first key seals, all of them open. Every key
// must have KeySize bytes.
func New(keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("a sealer needs a key")
	}
	r := &Sealer{keys: make(map[string]cipher.AEAD, len(keys))}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("master key %d has %d bytes, not %d", i+1, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("master key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("master key %d: %w", i+1, err)
		}
		id := KeyID(key)
		if i == 0 {
			r.current, r.root = id, bytes.Clone(key)
		}
		r.keys[id] = aead
	}
	return r, nil
}

// KeyID names a key without telling anything useful about it: the first eight
// hex digits of its SHA-256.
func KeyID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:4])
}

// Current is the id of the key that seals.
func (r *Sealer) Current() string { return r.current }

// Derive returns KeySize bytes that follow from the key that seals and from what
// they are for, and tell nothing about the key or what others are for.
func (r *Sealer) Derive(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, r.root, nil, purpose, KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive a key for %s: %w", purpose, err)
	}
	return key, nil
}

// Seal encrypts a text. The same text sealed twice reads differently. The
// empty text stays empty: there is nothing to hide.
func (r *Sealer) Seal(plain string) (string, error) {
	if plain == "" {
		return "", nil
	}
	aead, head := r.keys[r.current], prefix+r.current+":"
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	box := aead.Seal(nonce, nonce, []byte(plain), []byte(head))
	return head + base64.RawURLEncoding.EncodeToString(box), nil
}

// Open decrypts a sealed text. Errors: ErrNotSealed, ErrUnknownKey and
// ErrDamaged.
func (r *Sealer) Open(sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	id, body, ok := strings.Cut(strings.TrimPrefix(sealed, prefix), ":")
	if !ok || !Sealed(sealed) {
		return "", ErrNotSealed
	}
	aead := r.keys[id]
	if aead == nil {
		return "", fmt.Errorf("%w: it was sealed with key %q", ErrUnknownKey, id)
	}
	// Strict, and without the line ends that decoding would skip, so that a
	// sealed text has one spelling.
	box, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(box) < aead.NonceSize() || strings.ContainsAny(body, "\r\n") {
		return "", ErrDamaged
	}
	nonce, secret := box[:aead.NonceSize()], box[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, secret, []byte(prefix+id+":"))
	if err != nil {
		return "", ErrDamaged
	}
	return string(plain), nil
}

// keyIDSize is the length of a key's id in bytes.
const keyIDSize = 4

// Wrap encrypts bytes, such as another key, in binary form: the key's id, a
// nonce, and the sealed bytes. What is bound must be the same to unwrap.
func (r *Sealer) Wrap(plain, bound []byte) ([]byte, error) {
	out, err := hex.DecodeString(r.current)
	if err != nil {
		return nil, fmt.Errorf("wrap: %w", err)
	}
	aead := r.keys[r.current]
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("wrap: %w", err)
	}
	return aead.Seal(append(out, nonce...), nonce, plain, bound), nil
}

// Unwrap decrypts what Wrap made. Errors: ErrUnknownKey and ErrDamaged.
func (r *Sealer) Unwrap(wrapped, bound []byte) ([]byte, error) {
	if len(wrapped) < keyIDSize {
		return nil, ErrDamaged
	}
	id := hex.EncodeToString(wrapped[:keyIDSize])
	aead := r.keys[id]
	if aead == nil {
		return nil, fmt.Errorf("%w: it was wrapped with key %q", ErrUnknownKey, id)
	}
	box := wrapped[keyIDSize:]
	if len(box) < aead.NonceSize() {
		return nil, ErrDamaged
	}
	plain, err := aead.Open(nil, box[:aead.NonceSize()], box[aead.NonceSize():], bound)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// Sealed tells whether a text has the form of a sealed one.
func Sealed(text string) bool { return strings.HasPrefix(text, prefix) }
