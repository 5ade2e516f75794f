package httpx

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// Spec is the OpenAPI 3.1 document of all operations, ready to be sent.
type Spec struct {
	JSON []byte
	Gzip []byte
	ETag string
}

// document builds the OpenAPI document of the registered operations.
type document struct {
	router *Router
	doc    *huma.OpenAPI
	cases  map[bool]*schemaSet // by camelCase
}

// components joins the schemas of both cases for the document.
type components struct {
	huma.Registry
	schemas map[string]*huma.Schema
}

// MarshalJSON implements json.Marshaler.
func (c components) MarshalJSON() ([]byte, error) { return json.Marshal(c.schemas) }

// Document returns the OpenAPI document. It is built once, from what is
// registered when it is first asked for.
func (r *Router) Document() (*Spec, error) {
	r.document.Do(func() { r.spec, r.specErr = r.buildSpec() })
	return r.spec, r.specErr
}

// SpecHandler answers with the document.
func (r *Router) SpecHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		spec, err := r.Document()
		if err != nil {
			WriteError(w, req, err)
			return
		}
		spec.serve(w, req)
	})
}

// ServeSpec registers the document at openapi.json under both mounts.
func (r *Router) ServeSpec() {
	h := r.SpecHandler()
	for _, at := range []struct {
		mount *Mount
		id    string
	}{{API, "getOpenAPI"}, {V1, "getOpenAPIV1"}} {
		r.Raw(Op{
			ID: at.id, Method: http.MethodGet, Path: "/openapi.json", Mount: at.mount, Tag: "Documentation", Public: true,
			Summary:     "Get the OpenAPI document",
			Description: "The OpenAPI 3.1 document of the whole API, both mounts.",
			Result:      reflect.TypeFor[map[string]any](), ResultExample: map[string]any{"openapi": "3.1.0"},
		}, h)
	}
}

func (s *Spec) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", s.ETag)
	h.Add("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == s.ETag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := s.JSON
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = s.Gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}

func (r *Router) buildSpec() (spec *Spec, err error) {
	defer func() { // huma and the schemas panic on types they cannot describe
		if p := recover(); p != nil {
			err = fmt.Errorf("build the OpenAPI document: %v", p)
		}
	}()
	// The first pass only learns which types appear in which views, so that the
	// second can give plain names to those with one.
	draft := r.describe(nil)
	final := r.describe(draft.cases)
	raw, err := json.Marshal(final.doc)
	if err != nil {
		return nil, fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	var packed bytes.Buffer
	gz, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = gz.Write(raw)
	}
	if err == nil {
		err = gz.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress the OpenAPI document: %w", err)
	}
	return &Spec{JSON: raw, Gzip: packed.Bytes(), ETag: fmt.Sprintf(`"%x"`, sha256.Sum256(raw))[:18] + `"`}, nil
}

// describe builds the document; known are the schemas of a pass before.
func (r *Router) describe(known map[bool]*schemaSet) *document {
	d := &document{router: r, cases: map[bool]*schemaSet{}}
	for _, camel := range []bool{false, true} {
		set := newSchemaSet(camel)
		set.documents, set.suffix = true, (&Mount{Camel: camel}).componentSuffix()
		if before := known[camel]; before != nil {
			set.single = func(t reflect.Type) bool { return len(before.views[t]) == 1 }
		}
		d.cases[camel] = set
	}
	d.doc = &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: r.opts.Title, Version: r.opts.Version, Description: r.opts.Description,
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: r.opts.BaseURL}},
		Components: &huma.Components{
			Responses: errorResponses(),
			Headers:   answerHeaders(),
			SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {
				Type: "http", Scheme: "bearer", Description: "An API key or a JSON Web Token.",
			}},
		},
	}
	names := map[string][]string{} // of the path's parameters: one path has one set of names
	tags := map[string]bool{}
	for _, o := range r.ops {
		template := numbered(o.full)
		if names[template] == nil {
			names[template] = o.params
		}
		d.doc.AddOperation(d.operation(o, names[template]))
		if o.Tag != "" && !tags[o.Tag] {
			tags[o.Tag] = true
			d.doc.Tags = append(d.doc.Tags, &huma.Tag{Name: o.Tag})
		}
	}
	all := components{schemas: map[string]*huma.Schema{}}
	for _, set := range d.cases {
		maps.Copy(all.schemas, set.schemas)
	}
	d.doc.Components.Schemas = all
	slices.SortFunc(d.doc.Tags, func(a, b *huma.Tag) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return d
}
