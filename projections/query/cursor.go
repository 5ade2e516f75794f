package query

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"strata/domain"
)

// Cursor is a place in a sorted list: just after the item with this sort value
// and id. It stays valid when items are inserted or deleted anywhere.
type Cursor struct {
	Order string // the order it belongs to, as Order.String writes it
	Value any    // sort value of the item: nil, int64, float64 or string
	ID    string // id of the item
}

// Encode writes the cursor as an opaque word that is safe in URLs.
func (c Cursor) Encode() string {
	value := c.Value
	switch v := value.(type) {
	case []byte: // SQLite drivers answer text of expressions as either
		value = string(v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) { // JSON has no word for them
			value = nil
		} else if v == math.Trunc(v) {
			value = floatWord(v)
		}
	}
	b, err := json.Marshal([]any{c.Order, value, c.ID})
	if err != nil { // strings, numbers and nil only
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// floatWord writes a whole float so that decoding gives a float again: SQLite
// compares 2.0 and 2 as equal, but the round trip should be exact.
type floatWord float64

func (f floatWord) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(f), 'e', -1, 64), nil
}

// maxCursor bounds what is decoded.
const maxCursor = 8 << 10

// DecodeCursor reads what Encode wrote. A word that is no cursor, or one of
// another order, is a VALIDATION_ERROR naming the field "cursor".
func DecodeCursor(word string, o Order) (Cursor, error) {
	bad := func(why string) (Cursor, error) {
		var f domain.Faults
		f.Add(true, "cursor", "%s", why)
		return Cursor{}, f.Err()
	}
	if len(word) > maxCursor {
		return bad("is not a cursor of this list")
	}
	b, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil {
		return bad("is not a cursor of this list")
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil || len(parts) != 3 {
		return bad("is not a cursor of this list")
	}
	var c Cursor
	value, ok := scalar(parts[1])
	if !ok || json.Unmarshal(parts[0], &c.Order) != nil || json.Unmarshal(parts[2], &c.ID) != nil {
		return bad("is not a cursor of this list")
	}
	if c.Order != o.String() {
		return bad("belongs to a list in another order; ask for the same sort and direction, or start without a cursor")
	}
	c.Value = value
	return c, nil
}

// scalar reads a JSON scalar the way SQLite stores it.
func scalar(raw json.RawMessage) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, false
	}
	switch v := v.(type) {
	case nil, string:
		return v, true
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return i, true
		}
		f, err := v.Float64()
		return f, err == nil
	}
	return nil, false
}
