package httpx

import (
	"cmp"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"strata/domain"
)

// bodyPlan is how a body becomes the input's Body.
type bodyPlan struct {
	field []int        // of Body in the input; nil for raw operations
	typ   reflect.Type // of the content: Op.Body or the field's own
	raw   bool         // Body is a json.RawMessage
	shape *shape
	check checker // of a body that has no shape
}

func (r *Router) planBody(o *operation, t reflect.Type, field []int) *bodyPlan {
	b := &bodyPlan{field: field, typ: t, raw: t == rawMessageType}
	if b.raw && o.Body != nil {
		b.typ = o.Body
	}
	b.shape = r.shapes.of(b.typ, o.BodyView)
	if b.shape == nil && b.typ != rawMessageType {
		b.check = newChecker(leafRegistry{}.Schema(b.typ, false, ""), false)
		if b.check.schema != nil {
			b.check.schema.PrecomputeMessages()
		}
	}
	return b
}

// bind reads, rewrites, checks and decodes the body. Its faults are added to
// faults; an error is a body that could not be understood at all.
func (b *bodyPlan) bind(x *exchange, in reflect.Value, faults *[]domain.FieldError) error {
	buf := getBuffer()
	defer putBuffer(buf)
	if err := x.readBody(buf); err != nil {
		return err
	}
	source := buf.b
	if !utf8.Valid(source) { // what came in goes out again, and must be JSON then too
		return domain.Errorf(domain.CodeInvalidRequest, "the body is not UTF-8")
	}
	if len(source) == 0 {
		if b.shape == nil || b.shape.kind != object {
			return domain.Errorf(domain.CodeInvalidRequest, "a JSON body is required")
		}
		source = []byte("{}")
	}
	out := getBuffer()
	defer putBuffer(out)
	camel := x.Mount.Camel
	text, wrong, err := canonical(out.b, source, b.shape, camel)
	if err != nil {
		return domain.Errorf(domain.CodeInvalidRequest, "the body is not valid JSON: %v", err)
	}
	out.b = text
	if !b.check.accepts(text) {
		b.check.check(text, newVerdict(), func(rest, message string) { wrong = append(wrong, fieldFault(rest, message)) })
	}
	if len(wrong) > 0 {
		for _, f := range wrong {
			f.Field = cmp.Or(f.Field, "body")
			if more := x.op.Unknown[f.Field]; more != "" && f.Message == unknownField {
				f.Message += ": " + more
			}
			*faults = append(*faults, f)
		}
		return nil
	}
	target := in.FieldByIndex(b.field)
	if b.raw {
		target.SetBytes(slices.Clone(text))
		return nil
	}
	if err := json.Unmarshal(text, target.Addr().Interface()); err != nil {
		return unmarshalFault(err, b.shape, camel)
	}
	return nil
}

// readBody reads a JSON body within the operation's limit. A body that
// announces its size is refused before it is read.
func (x *exchange) readBody(buf *buffer) error {
	r, limit := x.r, x.op.MaxBody
	if r.ContentLength > limit {
		return bodyTooLarge(limit)
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if err := jsonContent(r.Header); err != nil {
		return err
	}
	if n := int(r.ContentLength); n > 0 {
		buf.b = slices.Grow(buf.b, min(n, maxPooled)+1)
	}
	for {
		if len(buf.b) == cap(buf.b) {
			buf.b = slices.Grow(buf.b, 512)
		}
		n, err := r.Body.Read(buf.b[len(buf.b):cap(buf.b)])
		buf.b = buf.b[:len(buf.b)+n]
		switch {
		case int64(len(buf.b)) > limit:
			return bodyTooLarge(limit)
		case err == io.EOF:
			return nil
		case err != nil:
			return domain.Errorf(domain.CodeInvalidRequest, "the body could not be read to its end").Because(err)
		}
	}
}

// jsonContent checks that a body is uncompressed JSON in UTF-8.
func jsonContent(h http.Header) error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return domain.Errorf(domain.CodeUnsupportedMedia, "Content-Encoding %q is not accepted", encoding)
	}
	content := h.Get("Content-Type")
	if content == "" || content == "application/json" {
		return nil
	}
	media, params, err := mime.ParseMediaType(content)
	isJSON := media == "application/json" || (strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
	if err != nil || !isJSON {
		return domain.Errorf(domain.CodeUnsupportedMedia, "Content-Type %q is not accepted, only application/json", content)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return domain.Errorf(domain.CodeUnsupportedMedia, "charset %q is not accepted, only UTF-8", charset)
	}
	return nil
}
