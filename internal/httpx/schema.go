package httpx

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const refPrefix = "#/components/schemas/"

// schemaSet holds the JSON schemas of types in their views, in one case. The
// canonical set validates; the sets for documents spell names as a mount does
// and also say what is required and nullable, which the rewriter has already
// dealt with by the time a body is validated.
type schemaSet struct {
	camel     bool
	documents bool
	suffix    string                         // of component names, to tell the mounts' schemas apart
	single    func(t reflect.Type) bool      // types that appear in one view only need no suffix for it
	schemas   map[string]*huma.Schema        // by component name
	names     map[shapeKey]string            // of what is in schemas
	types     map[string]reflect.Type        // by component name
	taken     map[string]reflect.Type        // base names
	views     map[reflect.Type]map[View]bool // what was asked for
}

func newSchemaSet(camel bool) *schemaSet {
	return &schemaSet{
		camel: camel, single: func(reflect.Type) bool { return false },
		schemas: map[string]*huma.Schema{}, names: map[shapeKey]string{}, types: map[string]reflect.Type{},
		taken: map[string]reflect.Type{}, views: map[reflect.Type]map[View]bool{},
	}
}

// at returns the registry of one view, as huma's functions want it.
func (s *schemaSet) at(view View) *viewRegistry { return &viewRegistry{s, view} }

// viewRegistry implements huma.Registry for the types of one view.
type viewRegistry struct {
	set  *schemaSet
	view View
}

var _ huma.Registry = (*viewRegistry)(nil)

// Schema implements huma.Registry.
func (r *viewRegistry) Schema(t reflect.Type, allowRef bool, hint string) *huma.Schema {
	base := deref(t)
	if base.Kind() != reflect.Struct || opaque(base) {
		s := huma.SchemaFromType(r, t)
		if s != nil && s.Type == huma.TypeArray {
			s.Nullable = false // a nil slice is rendered as an empty list
		}
		return s
	}
	name := r.set.component(base, r.view, hint)
	if allowRef {
		return &huma.Schema{Ref: refPrefix + name}
	}
	return r.set.schemas[name]
}

// SchemaFromRef implements huma.Registry.
func (r *viewRegistry) SchemaFromRef(ref string) *huma.Schema {
	return r.set.schemas[strings.TrimPrefix(ref, refPrefix)]
}

// TypeFromRef implements huma.Registry.
func (r *viewRegistry) TypeFromRef(ref string) reflect.Type {
	return r.set.types[strings.TrimPrefix(ref, refPrefix)]
}

// Map implements huma.Registry.
func (r *viewRegistry) Map() map[string]*huma.Schema { return r.set.schemas }

// RegisterTypeAlias implements huma.Registry; types describe themselves here.
func (r *viewRegistry) RegisterTypeAlias(t, alias reflect.Type) {
	panic(fmt.Sprintf("httpx: alias of %s to %s: implement huma.SchemaProvider instead", t, alias))
}

// component builds the schema of a struct once and returns its name.
func (s *schemaSet) component(t reflect.Type, view View, hint string) string {
	key := shapeKey{t, view}
	if name, ok := s.names[key]; ok {
		return name
	}
	if s.views[t] == nil {
		s.views[t] = map[View]bool{}
	}
	s.views[t][view] = true
	name := s.name(t, view, hint)
	s.names[key], s.types[name] = name, t
	s.schemas[name] = &huma.Schema{} // a type may contain itself
	*s.schemas[name] = *s.object(t, view)
	s.schemas[name].PrecomputeMessages()
	return name
}

// name chooses a component name: the type's, with the view when the type has
// several, with the package when another type has the same.
func (s *schemaSet) name(t reflect.Type, view View, hint string) string {
	base := huma.DefaultSchemaNamer(t, hint)
	if base == "" {
		base = "Object"
	}
	base = strings.ToUpper(base[:1]) + base[1:]
	if owner, ok := s.taken[base]; ok && owner != t {
		pkg := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
		base = camelCase("_" + pkg)[1:] + base
		base = strings.ToUpper(base[:1]) + base[1:]
		for stem, n := base, 2; s.taken[base] != nil && s.taken[base] != t; n++ {
			base = fmt.Sprintf("%s%d", stem, n)
		}
	}
	s.taken[base] = t
	if s.single(t) {
		return base + s.suffix
	}
	return base + view.suffix() + s.suffix
}

// object builds the schema of a struct in a view.
func (s *schemaSet) object(t reflect.Type, view View) *huma.Schema {
	out := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}}
	inner := s.at(view.nested())
	for _, f := range jsonFields(t) {
		if presenceOf(t, f, view) != kept || s.documents && !worthTelling(f, view) {
			continue
		}
		fs := huma.SchemaFromField(inner, f.withoutNull(), t.Name()+f.Name)
		if fs == nil {
			panic(fmt.Sprintf("httpx: %s.%s: %s has no JSON form", t, f.Name, f.Type))
		}
		fs.Nullable = false
		if s.documents {
			fs = documented(fs, f, view)
			if f.Tag.Get("required") == "true" && view != Update {
				out.Required = append(out.Required, spell(f.name, s.camel))
			}
		}
		out.Properties[spell(f.name, s.camel)] = fs
	}
	if s.documents && view != Output {
		out.AdditionalProperties = false
	}
	return out
}

// worthTelling leaves out of documents what an update accepts only where it
// repeats what is.
func worthTelling(f jsonField, view View) bool { return view != Update || f.Tag.Get("access") != "c" }

// documented adds to a field's schema what only readers of the document need.
func documented(fs *huma.Schema, f jsonField, view View) *huma.Schema {
	switch f.Tag.Get("access") {
	case "r":
		fs.ReadOnly = true
	case "w", "uw":
		fs.WriteOnly = true
	}
	if !f.nullable(view) || (fs.Type == "" && fs.Ref == "" && fs.AnyOf == nil && fs.OneOf == nil) {
		return fs
	}
	if fs.Ref == "" && fs.AnyOf == nil && fs.OneOf == nil {
		if len(fs.Enum) > 0 {
			fs.Enum = append(fs.Enum, nil)
		}
		fs.Nullable = true
		return fs
	}
	return &huma.Schema{
		Description: fs.Description,
		AnyOf:       []*huma.Schema{{Ref: fs.Ref, AnyOf: fs.AnyOf, OneOf: fs.OneOf}, {Type: "null"}},
	}
}
