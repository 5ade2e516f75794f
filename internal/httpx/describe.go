package httpx

import (
	"cmp"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const jsonMedia = "application/json"

// operation describes one operation; names are the parameters of its path.
func (d *document) operation(o *operation, names []string) *huma.Operation {
	out := &huma.Operation{
		OperationID: o.ID, Method: o.Method, Path: documentPath(o.full, names),
		Summary: o.Summary, Description: o.Description, Deprecated: o.Deprecated,
		Parameters: d.parameters(o, names),
		Responses:  map[string]*huma.Response{strconv.Itoa(o.Status): d.success(o)},
		Security:   []map[string][]string{{"bearer": {}}},
		Extensions: map[string]any{},
	}
	if o.Tag != "" {
		out.Tags = []string{o.Tag}
	}
	if o.Public {
		out.Security = []map[string][]string{}
	}
	if o.Permission != "" {
		out.Extensions["x-permission"] = o.Permission
	}
	if o.Installation {
		out.Extensions["x-installation"] = true
	}
	if b := o.in.body; b != nil {
		out.RequestBody = &huma.RequestBody{
			Required: b.shape.demands(),
			Content: map[string]*huma.MediaType{jsonMedia: {
				Schema:  d.schema(b.typ, o.BodyView, o.Mount),
				Example: d.example(o.BodyExample, b.typ, o.BodyView, o.Mount),
			}},
		}
	}
	if o.upload != nil {
		out.RequestBody = o.upload.requestBody()
	}
	for _, status := range o.AlsoStatus {
		out.Responses[strconv.Itoa(status)] = d.success(o)
	}
	for _, status := range errorStatuses(o) {
		out.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + errorName(o.Mount)}
	}
	out.Responses["default"] = &huma.Response{Ref: "#/components/responses/" + errorName(o.Mount)} // what a body names may be missing, an engine away
	return out
}

// documentPath writes a path as OpenAPI does, with one set of names.
func documentPath(full string, names []string) string {
	segments := strings.Split(full, "/")
	n := 0
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "{" + names[n] + "}"
			n++
		}
	}
	return strings.Join(segments, "/")
}

// demands tells whether a body has fields that must be there.
func (s *shape) demands() bool {
	return s == nil || s.kind != object || slices.ContainsFunc(s.fields, func(f shapeField) bool {
		return f.required && f.fallback == nil
	})
}

func (d *document) parameters(o *operation, names []string) []*huma.Param {
	var out []*huma.Param
	for i := range o.in.params {
		p := &o.in.params[i]
		param := &huma.Param{Name: p.name, In: p.in, Required: p.required, Description: p.schema.Description}
		if p.in == "path" {
			param.Name = names[p.position]
		}
		s := *p.schema
		s.Description = ""
		param.Schema = &s
		out = append(out, param)
	}
	if o.in.list != nil {
		for _, p := range o.in.list.document(o.Mount.Camel) {
			// A field of the input may read the same parameter: it tells more.
			if !slices.ContainsFunc(out, func(q *huma.Param) bool { return q.In == p.In && q.Name == p.Name }) {
				out = append(out, p)
			}
		}
	}
	header := func(name, description string, s *huma.Schema) {
		out = append(out, &huma.Param{Name: name, In: "header", Description: description, Schema: s})
	}
	if o.Method != http.MethodGet {
		longest := maxIdempotencyKey
		header(HeaderIdempotencyKey, "Makes a retry safe: the same key gives the first answer again.",
			&huma.Schema{Type: huma.TypeString, MaxLength: &longest})
		if o.Method != http.MethodPost {
			header("If-Match", "The revision that the change is meant for, as ETag gives it; otherwise 409.",
				&huma.Schema{Type: huma.TypeString})
		}
	}
	if o.Reads != "" {
		zero := 0.0
		header(HeaderMinPosition, "Wait until the answer includes the write that gave this Strata-Position. Without it a read waits for the last write of the same key; 0 does not wait.",
			&huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &zero})
	}
	return out
}

// success describes the answer of an operation that went well.
func (d *document) success(o *operation) *huma.Response {
	out := &huma.Response{
		Description: cmp.Or(http.StatusText(o.Status), "Success"),
		Headers:     map[string]*huma.Param{},
	}
	shown := []string{HeaderRequestID, "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
	if o.raw == nil {
		shown = append(shown, "ETag")
		if o.Method != http.MethodGet {
			shown = append(shown, HeaderPosition)
		}
	}
	if o.Reads != "" {
		shown = append(shown, HeaderLag)
	}
	for _, name := range shown {
		out.Headers[name] = &huma.Param{Ref: "#/components/headers/" + name}
	}
	if o.Status == http.StatusNoContent || o.Status == http.StatusSwitchingProtocols {
		return out
	}
	out.Content = d.answer(o)
	for _, media := range o.AlsoMedia {
		out.Content[media] = notJSON(media)
	}
	return out
}

func (d *document) answer(o *operation) map[string]*huma.MediaType {
	if o.raw != nil {
		media := cmp.Or(o.ResultMedia, jsonMedia)
		if o.Result == nil {
			return map[string]*huma.MediaType{media: {Schema: &huma.Schema{}, Example: rawExample(o.ResultExample)}}
		}
		return map[string]*huma.MediaType{media: {
			Schema:  d.schema(o.Result, o.ResultView, o.Mount),
			Example: d.example(o.ResultExample, o.Result, o.ResultView, o.Mount),
		}}
	}
	plan := o.out
	s := d.schema(plan.typ, o.ResultView, o.Mount)
	example := d.example(o.ResultExample, plan.typ, o.ResultView, o.Mount)
	if plan.list {
		s = &huma.Schema{Type: huma.TypeArray, Items: s}
		if o.ResultExample == nil || !strings.HasPrefix(string(example), "[") { // an example of one item
			example = json.RawMessage("[" + string(example) + "]")
		}
	}
	switch {
	case o.Mount.Envelope:
		s, example = enveloped(s, example, plan.list, o.PageDefault)
	case plan.list:
		s, example = counted(s, example)
	}
	media := map[string]*huma.MediaType{jsonMedia: {Schema: s, Example: example}}
	if o.ResultMedia != "" { // a Stream operation can answer with frames as well
		media[o.ResultMedia] = notJSON(o.ResultMedia)
	}
	return media
}

// notJSON describes an answer that is text. What a frame of a stream holds cannot be said
// of the stream, so nothing is.
func notJSON(media string) *huma.MediaType {
	if media == "text/event-stream" {
		return &huma.MediaType{Schema: &huma.Schema{}, Example: ""}
	}
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: ""}
}

// rawExample is the example of an answer without a type: text as it is.
func rawExample(v any) any {
	if v == nil {
		return ""
	}
	return v
}

func (d *document) schema(t reflect.Type, view View, m *Mount) *huma.Schema {
	s := d.cases[m.Camel].at(view).Schema(t, true, "")
	if s == nil {
		panic(t.String() + " has no JSON form")
	}
	return s
}

const (
	exampleTime      = "2024-01-15T10:30:00Z"
	exampleRequestID = "req_01hm6qj5xk3v8r0c2n7t4w9ybz"
)

func enveloped(data *huma.Schema, example json.RawMessage, paged bool, size int) (*huma.Schema, json.RawMessage) {
	s := &huma.Schema{
		Type: huma.TypeObject, Required: []string{"success", "data", "meta"},
		Properties: map[string]*huma.Schema{
			"success": {Type: huma.TypeBoolean, Enum: []any{true}}, "data": data, "meta": metaSchema(),
		},
	}
	text := `{"success":true,"data":` + string(example)
	if paged {
		s.Required = append(s.Required, "pagination")
		s.Properties["pagination"] = &huma.Schema{
			Type: huma.TypeObject, Required: []string{"hasMore", "nextCursor", "limit"},
			Properties: map[string]*huma.Schema{
				"hasMore": {Type: huma.TypeBoolean}, "nextCursor": {Type: huma.TypeString, Nullable: true},
				"limit": {Type: huma.TypeInteger}, "total": {Type: huma.TypeInteger},
			},
		}
		text += `,"pagination":{"hasMore":false,"nextCursor":null,"limit":` + strconv.Itoa(size) + `}`
	}
	text += `,"meta":{"timestamp":"` + exampleTime + `","version":"` + apiVersion + `","requestId":"` + exampleRequestID + `"}}`
	return s, json.RawMessage(text)
}

func metaSchema() *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"timestamp", "version", "requestId"},
		Properties: map[string]*huma.Schema{
			"timestamp": {Type: huma.TypeString, Format: "date-time"},
			"version":   {Type: huma.TypeString}, "requestId": {Type: huma.TypeString},
		},
	}
}

func counted(data *huma.Schema, example json.RawMessage) (*huma.Schema, json.RawMessage) {
	var items []json.RawMessage
	if err := json.Unmarshal(example, &items); err != nil {
		panic("the example of a list is not a list: " + err.Error())
	}
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"count", "data", "has_more"},
		Properties: map[string]*huma.Schema{
			"count": {Type: huma.TypeInteger, Description: "Number of items in this page."},
			"data":  data, "has_more": {Type: huma.TypeBoolean},
		},
	}, json.RawMessage(`{"count":` + strconv.Itoa(len(items)) + `,"data":` + string(example) + `,"has_more":false}`)
}

// errorStatuses lists how an operation can fail.
func errorStatuses(o *operation) []int {
	out := []int{http.StatusBadRequest, http.StatusTooManyRequests, http.StatusInternalServerError}
	if !o.Public {
		out = append(out, http.StatusUnauthorized, http.StatusForbidden)
	}
	if len(o.params) > 0 {
		out = append(out, http.StatusNotFound)
	}
	if o.Method != http.MethodGet {
		out = append(out, http.StatusConflict)
	}
	if o.in.body != nil || o.upload != nil {
		out = append(out, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return out
}

func errorName(m *Mount) string {
	switch {
	case m.OpenAI:
		return "ErrorOpenAI"
	case m.Envelope:
		return "Error"
	}
	return "ErrorV1"
}

// errorResponses are the three formats of an error.
func errorResponses() map[string]*huma.Response {
	text := func() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }
	faults := func() *huma.Schema {
		return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"field", "message"},
			Properties: map[string]*huma.Schema{"field": text(), "message": text()},
		}}
	}
	meta := metaSchema()
	response := func(description string, s *huma.Schema, example string) *huma.Response {
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			jsonMedia: {Schema: s, Example: json.RawMessage(example)},
		}}
	}
	object := func(required []string, properties map[string]*huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Required: required, Properties: properties}
	}
	const detail = `[{"field":"email","message":"expected string to be RFC 5322 email"}]`
	return map[string]*huma.Response{
		"Error": response("The request failed; `code` says why and `details` names every faulty field.",
			object([]string{"success", "error", "meta"}, map[string]*huma.Schema{
				"success": {Type: huma.TypeBoolean, Enum: []any{false}},
				"error": object([]string{"code", "message", "details"}, map[string]*huma.Schema{
					"code": text(), "message": text(), "details": faults(), "params": {Type: huma.TypeObject},
				}),
				"meta": meta,
			}),
			`{"success":false,"error":{"code":"VALIDATION_ERROR","message":"invalid input data","details":`+detail+
				`},"meta":{"timestamp":"`+exampleTime+`","version":"1.0","requestId":"`+exampleRequestID+`"}}`),
		"ErrorV1": response("The request failed; `code` says why and `details` names every faulty field.",
			object([]string{"error", "code", "details"}, map[string]*huma.Schema{
				"error": text(), "code": text(), "details": faults(), "params": {Type: huma.TypeObject}, "request_id": text(),
			}),
			`{"error":"invalid input data","code":"VALIDATION_ERROR","details":`+detail+`,"request_id":"`+exampleRequestID+`"}`),
		"ErrorOpenAI": response("The request failed, as OpenAI's clients expect it.",
			object([]string{"error"}, map[string]*huma.Schema{
				"error": object([]string{"message", "type", "param", "code"}, map[string]*huma.Schema{
					"message": text(), "type": text(),
					"param": {Type: huma.TypeString, Nullable: true}, "code": {Type: huma.TypeString, Nullable: true},
				}),
			}),
			`{"error":{"message":"model \"x\" was not found","type":"invalid_request_error","param":"model","code":"model_not_found"}}`),
	}
}

// answerHeaders documents the headers of answers.
func answerHeaders() map[string]*huma.Param {
	header := func(kind, description string) *huma.Param {
		return &huma.Param{Description: description, Schema: &huma.Schema{Type: kind}}
	}
	return map[string]*huma.Param{
		HeaderRequestID:         header(huma.TypeString, "Names the request in logs and events."),
		"X-RateLimit-Limit":     header(huma.TypeInteger, "Requests allowed per minute."),
		"X-RateLimit-Remaining": header(huma.TypeInteger, "Requests left now."),
		"X-RateLimit-Reset":     header(huma.TypeInteger, "Unix time at which all requests are available again."),
		"ETag":                  header(huma.TypeString, "Revision of the resource, for If-Match."),
		HeaderPosition:          header(huma.TypeInteger, "Position of the write in the log, for Strata-Min-Position."),
		HeaderLag:               header(huma.TypeInteger, "How many positions the answer is behind the one asked for."),
	}
}
