package httpx

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"strata/domain"
)

// UploadOp is an operation that takes files: a body of multipart/form-data.
type UploadOp struct {
	Op
	Files    string            // name of the field with files; there may be several
	FilesDoc string            // what files it takes
	Example  string            // content of such a file
	Form     map[string]string // further fields, texts, and what each is for
	// FormExamples are what further fields may hold.
	FormExamples map[string]string
}

// maxFormField bounds a text field of an upload, in bytes.
const maxFormField = 64 << 10

// Upload adds an operation whose handler reads files as they arrive; nothing of
// them is kept in memory or on disk by this package. Op.MaxBody bounds all of
// the body, and Op.Timeout how long it may take.
func Upload[O any](r *Router, op UploadOp, h func(ctx context.Context, form *Form) (Reply[O], error)) {
	o := r.add(op.Op)
	o.in = r.planInput(o, reflect.TypeFor[struct{}]())
	o.out = r.planOutput(o, reflect.TypeFor[O]())
	o.upload = &op
	o.run = func(x *exchange) error {
		ctx, err := x.receive(reflect.ValueOf(&struct{}{}).Elem())
		if err != nil {
			return err
		}
		defer x.handling.end()
		form, err := x.form()
		if err != nil {
			return err
		}
		reply, err := h(ctx, form)
		if err != nil {
			return err
		}
		return respond(x, &reply)
	}
}

// Form is the body of an upload being read.
type Form struct {
	op     *UploadOp
	parts  *multipart.Reader
	fields map[string]string
	files  int
}

// File is a file being read. It must be read before the next one is asked for.
type File struct {
	io.Reader
	Name        string // as the client calls it, without folders
	ContentType string
}

// form begins to read the body.
func (x *exchange) form() (*Form, error) {
	content := x.r.Header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(content)
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return nil, domain.Errorf(domain.CodeUnsupportedMedia, "Content-Type %q is not accepted, only multipart/form-data", content)
	}
	if x.r.ContentLength > x.op.MaxBody {
		return nil, bodyTooLarge(x.op.MaxBody)
	}
	body := http.MaxBytesReader(x.w, x.r.Body, x.op.MaxBody)
	// A client that stops sending is not waited for longer than for its answer.
	if err := http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(x.op.Timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	return &Form{op: x.op.upload, parts: multipart.NewReader(body, params["boundary"]), fields: map[string]string{}}, nil
}

// Next returns the next file; io.EOF after the last one. Errors:
// VALIDATION_ERROR when there is no file, or a field that is not known.
func (f *Form) Next() (*File, error) {
	for {
		part, err := f.parts.NextPart()
		if err == io.EOF {
			if f.files == 0 {
				return nil, fieldError(f.op.Files, "is required: at least one file")
			}
			return nil, io.EOF
		}
		if err != nil {
			return nil, unreadableForm(err)
		}
		name := part.FormName()
		switch {
		case name == f.op.Files || name == f.op.Files+"[]":
			if part.FileName() == "" {
				return nil, fieldError(f.op.Files, "must be files, each with a name")
			}
			f.files++
			return &File{Reader: uploaded{part}, Name: part.FileName(), ContentType: part.Header.Get("Content-Type")}, nil
		case f.op.Form[name] != "":
			text, err := io.ReadAll(io.LimitReader(part, maxFormField+1))
			if err != nil {
				return nil, unreadableForm(err)
			}
			if len(text) > maxFormField {
				return nil, fieldError(name, "is too long")
			}
			f.fields[name] = strings.TrimSpace(string(text))
		default:
			return nil, fieldError(name, unknownField)
		}
	}
}

// Field returns a text field, "" when it has not come (yet).
func (f *Form) Field(name string) string { return f.fields[name] }

func fieldError(field, message string) error {
	var faults domain.Faults
	faults.Add(true, field, "%s", message)
	return faults.Err()
}

// uploaded tells faults of the transport from the end of a file.
type uploaded struct{ r io.Reader }

func (u uploaded) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && err != io.EOF {
		err = unreadableForm(err)
	}
	return n, err
}

// unreadableForm says what is wrong with a body that is cut or no form.
func unreadableForm(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return bodyTooLarge(large.Limit)
	}
	return domain.Errorf(domain.CodeInvalidRequest, "the upload could not be read to its end").Because(err)
}

// requestBody describes the form.
func (op *UploadOp) requestBody() *huma.RequestBody {
	file := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	schema := &huma.Schema{Type: huma.TypeObject, Required: []string{op.Files}, Properties: map[string]*huma.Schema{
		op.Files: {Type: huma.TypeArray, Items: file, Description: op.FilesDoc},
	}}
	example := map[string]any{op.Files: []string{op.Example}}
	for name, about := range op.Form {
		if text, ok := op.FormExamples[name]; ok {
			example[name] = text
		}
		schema.Properties[name] = &huma.Schema{Type: huma.TypeString, Description: about}
	}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"multipart/form-data": {Schema: schema, Example: example},
	}}
}
