// Package view holds the shapes of answers: what a session, a memory, a budget
// look like to a caller. The write side builds them from an aggregate's state,
// the read side from a read model, so both must agree on them here.
//
// Names are snake_case, the canonical spelling; the transport re-cases them for
// the mounts that speak camelCase and fills the documentation from the tags.
package view

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"strata/domain"
)

// Deleted answers a delete.
type Deleted struct {
	ID      string `json:"id" doc:"What was deleted." example:"app_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Deleted bool   `json:"deleted" example:"true"`
}

// DeletedID answers a delete on the plain mount, which says no more than the id.
type DeletedID struct {
	ID string `json:"id" doc:"What was deleted." example:"mem_01jk2m3n4p5q6r7s8t9v0w1x2y"`
}

// timeOrNil leaves a zero time out of an answer.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Resource renders a plain resource: its own fields, the envelope's, and no secrets.
func Resource(id string, doc domain.Doc, version int, created, updated time.Time, by string, secrets []string) (json.RawMessage, error) {
	out := make(domain.Doc, len(doc)+5)
	for k, v := range doc {
		out[k] = v
	}
	for _, s := range secrets {
		delete(out, s)
	}
	put := func(field string, v any) (err error) {
		out[field], err = json.Marshal(v)
		return err
	}
	fields := []struct {
		name string
		v    any
	}{{"id", id}, {"created_at", domain.FormatTime(created)}, {"updated_at", domain.FormatTime(updated)}, {"created_by", by}}
	for _, f := range fields {
		if err := put(f.name, f.v); err != nil {
			return nil, err
		}
	}
	if version > 0 {
		if err := put("version", version); err != nil {
			return nil, err
		}
	}
	return json.Marshal(out)
}

// Version renders one version of a resource of a kind.
func Version(kind, id string, v domain.Version) (json.RawMessage, error) {
	out := make(domain.Doc, len(v.Doc)+6)
	for k, val := range v.Doc {
		out[k] = val
	}
	fields := map[string]any{"id": fmt.Sprintf("%s_v%d", id, v.Number), kind + "_id": id, "version": v.Number,
		"created_at": domain.FormatTime(v.At), "created_by": v.By}
	if v.Changelog != "" {
		fields["changelog"] = v.Changelog
	}
	for name, val := range fields {
		b, err := json.Marshal(val)
		if err != nil {
			return nil, err
		}
		out[name] = b
	}
	return json.Marshal(out)
}

// OperationID names an operation on a kind: "createModelRoute", and
// "createModelRouteV1" on the plain mount.
func OperationID(verb, kind, mount string) string {
	var b strings.Builder
	b.WriteString(verb)
	for _, word := range strings.Split(kind, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	if mount == "v1" {
		b.WriteString("V1")
	}
	return b.String()
}
