package access

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	hashScheme     = "pbkdf2-sha256"
	hashIterations = 210_000
	hashSize       = 32
	saltSize       = 16
)

// hashPassword makes "pbkdf2-sha256$iterations$salt$hash".
func hashPassword(password string, iterations int) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, hashSize)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	enc := base64.RawStdEncoding
	return fmt.Sprintf("%s$%d$%s$%s", hashScheme, iterations, enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}

// maxIterations bounds the work that a record of a user can ask for.
const maxIterations = 10_000_000

// checkPassword tells whether a password has a hash.
func checkPassword(password, hash string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 4 || parts[0] != hashScheme {
		return false, errors.New("the password's hash is of no known form")
	}
	iterations, err := strconv.Atoi(parts[1])
	if err != nil || iterations < 1 || iterations > maxIterations {
		return false, errors.New("the password's hash is of no known form")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[2])
	want, keyErr := base64.RawStdEncoding.DecodeString(parts[3])
	if err := errors.Join(saltErr, keyErr); err != nil || len(want) == 0 {
		return false, errors.New("the password's hash is of no known form")
	}
	got, err := pbkdf2.Key(sha256.New, password, salt, iterations, len(want))
	if err != nil {
		return false, fmt.Errorf("hash a password: %w", err)
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// digest is a short form of a password for the memory of this process: it saves
// the slow hash for every call but the first.
func digest(key []byte, hash, password string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(hash))
	mac.Write([]byte{0})
	mac.Write([]byte(password))
	return [sha256.Size]byte(mac.Sum(nil))
}
