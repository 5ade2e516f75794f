// Package httpxtest helps to test what is built on httpx. It lives apart so
// that the checker of OpenAPI documents is not linked into the binary.
package httpxtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// CheckSpec checks an OpenAPI document (JSON): that it is valid, that every
// operation has an example of its body and of its answer, and that each
// example fits its schema. It returns all faults joined.
func CheckSpec(doc []byte) error {
	loaded, err := openapi3.NewLoader().LoadFromData(doc)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	faults := []error{loaded.Validate(context.Background(), openapi3.DisableExamplesValidation())}
	for _, path := range loaded.Paths.InMatchingOrder() {
		for method, op := range loaded.Paths.Value(path).Operations() {
			where := fmt.Sprintf("%s %s (%s)", method, path, op.OperationID)
			if op.RequestBody != nil && op.RequestBody.Value != nil {
				faults = append(faults, checkContent(where+" body", op.RequestBody.Value.Content))
			}
			for status, response := range op.Responses.Map() {
				faults = append(faults, checkContent(where+" "+status, response.Value.Content))
			}
		}
	}
	return errors.Join(faults...)
}

func checkContent(where string, content openapi3.Content) error {
	var faults []error
	for media, m := range content {
		switch {
		case m.Example == nil && len(m.Examples) == 0:
			faults = append(faults, fmt.Errorf("%s: %s has no example", where, media))
		case m.Schema == nil || m.Schema.Value == nil || m.Example == nil:
		default:
			value, err := plain(m.Example)
			if err == nil {
				err = m.Schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors())
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: the example does not fit: %w", where, err))
			}
		}
	}
	return errors.Join(faults...)
}

// plain turns what the loader made of an example into what JSON decodes to.
func plain(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out any
	err = json.Unmarshal(raw, &out)
	return out, err
}
