package personas

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"strata/domain"
	"strata/domain/personaupload"
	"strata/internal/documents"
)

// mostFaults is how many faults of an upload are named; who has more has the
// same one many times.
const mostFaults = 100

// faults gathers what is wrong with the rows of an upload.
type faults struct{ domain.Faults }

// at names a field of a line of a file.
func at(file string, line int64, field string) string {
	name := file
	if line > 0 {
		name = fmt.Sprintf("%s:%d", file, line)
	}
	if field != "" {
		name += "." + field
	}
	return name
}

// count is how many there are.
func (f *faults) count() int {
	if e, ok := errors.AsType[*domain.Error](f.Err()); ok {
		return len(e.Fields)
	}
	return 0
}

// spelling is how names of columns are compared: "Birth Date" is birthdate.
func spelling(name string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(name))
}

// rowOf makes a persona of a record.
func rowOf(file string, r documents.Row, f *faults) personaupload.Row {
	row := personaupload.Row{File: file, Line: r.Line}
	where := file
	if r.Sheet != "" {
		where += "#" + r.Sheet
	}
	data, given := domain.Doc{}, map[string]bool{}
	for _, field := range r.Fields {
		name := spelling(field.Name)
		place := at(where, r.Line, field.Name)
		switch name {
		case "name", "birthdate", "notes":
			f.Add(given[name], place, "is given twice")
			given[name] = true
			text, ok := textIn(field.Value)
			f.Add(!ok, place, "must be a text")
			switch name {
			case "name":
				row.Name = strings.Join(strings.Fields(text), " ")
			case "birthdate":
				row.Birthdate = dayOf(strings.TrimSpace(text))
			case "notes":
				row.Notes = text
			}
		case "data":
			addData(data, field.Value, place, f)
		case "id", "createdat", "createdby", "updatedat", "updatedby":
			// of an export: the server says these
		default:
			if field.Value == "" { // an empty cell says nothing
				continue
			}
			raw, err := json.Marshal(field.Value)
			f.Add(err != nil, place, "cannot be read")
			data[field.Name] = raw
		}
	}
	return checked(row, data, where, f)
}

func checked(row personaupload.Row, data domain.Doc, where string, f *faults) personaupload.Row {
	f.Add(row.Name == "", at(where, row.Line, "name"), "is required")
	f.Add(utf8.RuneCountInString(row.Name) > maxName, at(where, row.Line, "name"), "must be at most %d characters long", maxName)
	f.Add(utf8.RuneCountInString(row.Notes) > maxNotes, at(where, row.Line, "notes"), "must be at most %d characters long", maxNotes)
	_, err := time.Parse(time.DateOnly, row.Birthdate)
	switch {
	case row.Birthdate == "":
		f.Add(true, at(where, row.Line, "birthdate"), "is required")
	case err != nil:
		f.Add(true, at(where, row.Line, "birthdate"), "must be a day, such as 1985-12-10, not %q", shortened(row.Birthdate))
	}
	if len(data) > 0 {
		raw, err := json.Marshal(data)
		f.Add(err != nil, at(where, row.Line, "data"), "cannot be read")
		f.Add(len(raw) > maxData, at(where, row.Line, "data"), "must be at most %d bytes of JSON", maxData)
		row.Data = raw
	}
	return row
}

// textIn reads a text; numbers are texts that a program took for numbers.
func textIn(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case nil:
		return "", true
	}
	return "", false
}

// dayOf leaves the day of a time that has one.
func dayOf(text string) string {
	if day, clock, ok := strings.Cut(text, "T"); ok && strings.Contains(clock, ":") {
		return day
	}
	return text
}

// addData adds the fields of an object, which tables hold as JSON text.
func addData(data domain.Doc, v any, place string, f *faults) {
	var raw []byte
	switch v := v.(type) {
	case json.RawMessage:
		raw = v
	case string:
		raw = []byte(strings.TrimSpace(v))
	case nil:
	default:
		raw = []byte("0") // something else, which is no object
	}
	if len(raw) == 0 {
		return
	}
	var fields domain.Doc
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		f.Add(true, place, "must be a JSON object")
		return
	}
	for name, value := range fields {
		data[name] = value
	}
}

func shortened(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
