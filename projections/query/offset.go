package query

import (
	"encoding/base64"
	"strconv"
	"strings"

	"strata/domain"
)

// OffsetCursor is a cursor for lists that are short, in memory and only grow
// at one end, where a place is just a number.
func OffsetCursor(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("offset:" + strconv.Itoa(n)))
}

// OffsetOf reads what OffsetCursor wrote; without a cursor it is offset. A word
// that is no such cursor is a VALIDATION_ERROR naming the field "cursor".
func OffsetOf(cursor string, offset int) (int, error) {
	if cursor == "" {
		return max(offset, 0), nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	word, ours := strings.CutPrefix(string(b), "offset:")
	n, numErr := strconv.Atoi(word)
	if err != nil || !ours || numErr != nil || n < 0 {
		var f domain.Faults
		f.Add(true, "cursor", "is not a cursor of this list")
		return 0, f.Err()
	}
	return n, nil
}
