package httpx

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"strata/domain"
)

// apiVersion is what the envelope's meta calls the version of the API.
const apiVersion = "1.0"

// outputPlan is how an answer becomes JSON, worked out once.
type outputPlan struct {
	typ   reflect.Type // of the answer, or of the items of a list
	list  bool
	shape *shape
	as    bool // canonical JSON can be sent as it is
}

func (r *Router) planOutput(o *operation, t reflect.Type) *outputPlan {
	plan := &outputPlan{typ: t}
	if l, ok := reflect.Zero(t).Interface().(lister); ok {
		plan.list, plan.typ = true, l.itemType()
	}
	if o.Result != nil {
		plan.typ = o.Result
	}
	plan.shape = r.shapes.of(plan.typ, o.ResultView)
	plan.as = !plan.shape.rewrites(o.Mount.Camel, map[*shape]bool{})
	return plan
}

// rewrites tells whether rendering can change anything of a value.
func (s *shape) rewrites(camel bool, seen map[*shape]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	for i := range s.fields {
		f := &s.fields[i]
		if f.presence != kept || f.empty != "" || (camel && f.camel != f.name) || f.shape.rewrites(camel, seen) {
			return true
		}
	}
	return s.elem.rewrites(camel, seen)
}

// respond answers with a handler's reply.
func respond[O any](x *exchange, reply *Reply[O]) error {
	h := x.w.Header()
	for name, values := range reply.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if reply.Revision != nil {
		h["Etag"] = x.only(etag(*reply.Revision))
	}
	if reply.Position > 0 {
		x.replied = uint64(reply.Position)
		h[HeaderPosition] = x.only(strconv.FormatUint(uint64(reply.Position), 10))
		x.note(reply.Position)
	}
	status := x.op.Status
	if reply.Status != 0 {
		status = reply.Status
	}
	if status == http.StatusNoContent {
		x.WriteHeader(status)
		return nil
	}
	buf := getBuffer()
	defer putBuffer(buf)
	var err error
	if l, ok := any(&reply.Body).(interface{ lister }); ok && x.op.out.list {
		err = x.renderList(buf, l)
	} else {
		err = x.renderOne(buf, &reply.Body, reply.Spelled, reply.Spell)
	}
	if err != nil {
		return fmt.Errorf("render %s: %w", x.op.ID, err)
	}
	h["Content-Type"] = contentJSON
	x.send(status, buf.b)
	return nil
}

var contentJSON = []string{"application/json"}

// renderOne renders a single answer, or sends one that was spelled before.
func (x *exchange) renderOne(buf *buffer, body any, spelled []byte, spell func([]byte)) error {
	if x.Mount.Envelope {
		buf.b = append(buf.b, `{"success":true,"data":`...)
	}
	begin := len(buf.b)
	if spelled != nil {
		buf.b = append(buf.b, spelled...)
	} else if err := x.op.out.value(buf, x.Mount.Camel, func(b *buffer) error {
		if raw, ok := body.(*json.RawMessage); ok { // a stored document: no need to parse it again
			if len(*raw) == 0 {
				b.b = append(b.b, "null"...)
			}
			b.b = append(b.b, *raw...)
			return nil
		}
		return b.encode(body)
	}); err != nil {
		return err
	}
	if spell != nil {
		spell(slices.Clone(buf.b[begin:]))
	}
	if x.Mount.Envelope {
		buf.b = append(buf.b, ',')
		buf.b = append(appendMeta(buf.b, x.ID, x.table.opts.Now()), '}')
	}
	return nil
}

// value encodes a value and spells it for the mount.
func (plan *outputPlan) value(buf *buffer, camel bool, encode func(*buffer) error) error {
	s := plan.shape
	if plan.as {
		return encode(buf)
	}
	if plan.list {
		s = &shape{kind: list, elem: s}
	}
	scratch := getBuffer()
	defer putBuffer(scratch)
	err := encode(scratch)
	if err == nil {
		buf.b, err = render(buf.b, scratch.b, s, camel)
	}
	return err
}

// renderList renders a page.
func (x *exchange) renderList(buf *buffer, l lister) error {
	count, more, next, total := l.page()
	if x.Mount.Envelope {
		buf.b = append(buf.b, `{"success":true,"data":`...)
	} else {
		buf.b = append(buf.b, `{"count":`...)
		buf.b = strconv.AppendInt(buf.b, int64(count), 10)
		buf.b = append(buf.b, `,"data":`...)
	}
	if err := x.op.out.value(buf, x.Mount.Camel, l.encodeItems); err != nil {
		return err
	}
	if !x.Mount.Envelope {
		buf.b = append(buf.b, `,"has_more":`...)
		buf.b = append(strconv.AppendBool(buf.b, more), '}')
		return nil
	}
	buf.b = append(buf.b, `,"pagination":{"hasMore":`...)
	buf.b = strconv.AppendBool(buf.b, more)
	buf.b = append(buf.b, `,"nextCursor":`...)
	if next == "" {
		buf.b = append(buf.b, "null"...)
	} else {
		buf.b = appendJSON(buf.b, next)
	}
	buf.b = append(buf.b, `,"limit":`...)
	buf.b = strconv.AppendInt(buf.b, int64(x.limitUsed), 10)
	if total != nil {
		buf.b = append(buf.b, `,"total":`...)
		buf.b = strconv.AppendInt(buf.b, int64(*total), 10)
	}
	buf.b = append(buf.b, "},"...)
	buf.b = append(appendMeta(buf.b, x.ID, x.table.opts.Now()), '}')
	return nil
}

// appendMeta appends the envelope's meta. A request id needs no escaping.
func appendMeta(dst []byte, requestID string, now time.Time) []byte {
	dst = append(dst, `"meta":{"timestamp":"`...)
	dst = now.UTC().Truncate(time.Microsecond).AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","version":"`+apiVersion+`","requestId":"`...)
	dst = append(dst, requestID...)
	return append(dst, `"}`...)
}

// send writes a whole answer, compressed when that pays.
func (x *exchange) send(status int, body []byte) {
	if len(body) >= compressFrom && acceptsGzip(x.r) {
		x.sendCompressed(status, body)
		return
	}
	x.w.Header()["Content-Length"] = x.only(strconv.Itoa(len(body)))
	x.WriteHeader(status)
	if _, err := x.Write(body); err != nil && x.err == nil {
		x.err = fmt.Errorf("write the answer: %w", err)
	}
}

// Speller returns a function that spells canonical JSON of a type as answers on
// a mount do, for answers about answers: what it returns is the user's data to
// any later rendering.
func (r *Router) Speller(t reflect.Type, m *Mount) func(canonical []byte) ([]byte, error) {
	s := r.shapes.of(t, Output)
	return func(canonical []byte) ([]byte, error) { return render(nil, canonical, s, m.Camel) }
}

// RevisionOf is the revision for a Reply.
func RevisionOf(r domain.Revision) *domain.Revision { return &r }
