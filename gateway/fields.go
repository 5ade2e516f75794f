package gateway

import (
	"fmt"
	"strconv"

	"strata/domain"
	"strata/gateway/rawjson"
)

// fieldReader reads fields of a request and gathers what is wrong with them.
type fieldReader struct {
	object rawjson.Object
	faults domain.Faults
}

func (f *fieldReader) text(name string, required bool) string {
	value := f.object.Get(name)
	if value == nil {
		f.faults.Add(required, name, "is required")
		return ""
	}
	s, ok := rawjson.String(value)
	f.faults.Add(!ok, name, "must be a text")
	f.faults.Add(ok && required && s == "", name, "must not be empty")
	return s
}

func (f *fieldReader) boolean(name string) bool {
	value := string(f.object.Get(name))
	f.faults.Add(value != "" && value != "true" && value != "false", name, "must be true or false")
	return value == "true"
}

// integer returns 0 for an absent field.
func (f *fieldReader) integer(name string, low, high int64) int64 {
	value := f.object.Get(name)
	if value == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	f.faults.Add(err != nil || n < low || n > high, name, "must be a whole number between %d and %d", low, high)
	return n
}

func (f *fieldReader) number(name string, low, high float64) {
	value := f.object.Get(name)
	if value == nil {
		return
	}
	n, err := strconv.ParseFloat(string(value), 64)
	f.faults.Add(err != nil || n < low || n > high, name, "must be a number between %g and %g", low, high)
}

func (f *fieldReader) objectField(name string) []byte {
	value := f.object.Get(name)
	if value != nil && value[0] != '{' {
		f.faults.Add(true, name, "must be an object")
		return nil
	}
	return value
}

// messages checks the conversation's outline; its contents are the provider's
// business.
func (f *fieldReader) messages() {
	value := f.object.Get("messages")
	if value == nil {
		f.faults.Add(true, "messages", "is required")
		return
	}
	count := 0
	rawjson.Elements(value, func(message []byte) {
		role := false
		rawjson.Fields(message, func(key, value []byte) {
			role = role || string(key) == "role" && len(value) > 2 && value[0] == '"'
		})
		if !role {
			f.faults.Add(true, fmt.Sprintf("messages[%d]", count), "must be an object with a role")
		}
		count++
	})
	f.faults.Add(count == 0, "messages", "must be an array of at least one message")
}

// metadata returns the request's metadata for the record.
func (f *fieldReader) metadata() map[string]string {
	value := f.objectField("metadata")
	if value == nil {
		return nil
	}
	out := map[string]string{}
	rawjson.Fields(value, func(key, value []byte) {
		if len(out) >= maxReadMetadata {
			return
		}
		if s, ok := rawjson.String(value); ok {
			out[string(key)] = s
		} else {
			out[string(key)] = string(value)
		}
	})
	return out
}
