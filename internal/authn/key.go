package authn

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
)

// The written form of an API key: "sk-strata-<prefix>-<secret>". The prefix
// finds the key, is shown in lists and may be known to anybody; the secret is
// 256 random bits in base 62, so that a double click selects the whole of it.
const (
	scheme    = "sk-strata-"
	prefixLen = 12
	secretLen = 43 // the shortest base 62 that holds 256 bits
	keyLen    = len(scheme) + prefixLen + 1 + secretLen
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Lengths of a key that was chosen outside of Strata.
const (
	minChosen = 16
	maxChosen = 255
)

// errMalformed is what Parse answers; it never holds a part of the token.
var errMalformed = errors.New("not an API key")

// Key is an API key as it is given to its owner, once.
type Key struct {
	Token  string // the whole of it; secret
	Prefix string // finds the key; public
	Hash   string // SHA-256 of the token, in hex: all of the secret that is stored
}

// String shows the prefix only, so that a key in a log gives nothing away.
func (k Key) String() string { return scheme + k.Prefix + "-…" }

// NewKey makes a key of 256 random bits from rand.
func NewKey(rand io.Reader) (Key, error) {
	prefix, err := randomText(rand, 8, prefixLen)
	if err != nil {
		return Key{}, err
	}
	secret, err := randomText(rand, 32, secretLen)
	if err != nil {
		return Key{}, err
	}
	return keyOf(scheme+prefix+"-"+secret, prefix), nil
}

// Parse reads a key that NewKey made. The error says no more than that it is
// not one.
func Parse(token string) (Key, error) {
	if len(token) != keyLen || !strings.HasPrefix(token, scheme) || token[len(scheme)+prefixLen] != '-' {
		return Key{}, errMalformed
	}
	prefix, secret := token[len(scheme):len(scheme)+prefixLen], token[len(scheme)+prefixLen+1:]
	if !inAlphabet(prefix) || !inAlphabet(secret) {
		return Key{}, errMalformed
	}
	return keyOf(token, prefix), nil
}

// Chosen makes a key of a token that an operator chose, for example the first
// admin key of an automated installation. One in Strata's own form is read as
// it is; another needs 16 to 255 visible ASCII characters, and its prefix is
// derived from it, for nothing of it may be shown.
func Chosen(token string) (Key, error) {
	if k, err := Parse(token); err == nil {
		return k, nil
	}
	if len(token) < minChosen || len(token) > maxChosen {
		return Key{}, fmt.Errorf("a chosen API key must have %d to %d characters", minChosen, maxChosen)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return Key{}, errors.New("a chosen API key must be of visible ASCII characters, without spaces")
		}
	}
	// Hashed once more: the prefix is public and must tell nothing of the hash
	// that is compared.
	hash := Hash(token)
	return Key{Token: token, Prefix: Hash(hash)[:prefixLen], Hash: hash}, nil
}

// Hash is the form in which a key's secret is stored and compared. A plain
// SHA-256 will do: there is no guessing at 256 random bits, so a slow password
// hash would only slow down every request.
func Hash(token string) string {
	// A token of usual length is hashed without leaving the stack.
	sum := sha256.Sum256(append(make([]byte, 0, 2*sha256.Size+prefixLen), token...))
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// Matches tells, in constant time, whether the key has a hash.
func (k Key) Matches(hash string) bool {
	return subtle.ConstantTimeCompare([]byte(k.Hash), []byte(hash)) == 1
}

func keyOf(token, prefix string) Key { return Key{Token: token, Prefix: prefix, Hash: Hash(token)} }

// randomText writes n random bytes in base 62, padded to a length.
func randomText(rand io.Reader, n, length int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("no randomness for an API key: %w", err)
	}
	number, base, digit := new(big.Int).SetBytes(b), big.NewInt(int64(len(alphabet))), new(big.Int)
	out := make([]byte, length)
	for i := range out {
		number.DivMod(number, base, digit)
		out[length-1-i] = alphabet[digit.Int64()]
	}
	return string(out), nil
}

func inAlphabet(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}
