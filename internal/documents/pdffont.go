package documents

import (
	"unicode/utf8"

	"github.com/ledongthuc/pdf"
)

// typeface decodes the strings of one font and knows how wide they are, in
// parts of the font's size.
type typeface struct {
	encoding pdf.TextEncoding
	double   bool // two bytes make a character
	widths   map[int]float64
	missing  float64
}

// maxWidths bounds the table of widths.
const maxWidths = 1 << 16

// typeface reads a font of the page once.
func (d *drawing) typeface(name string) *typeface {
	if f := d.fonts[name]; f != nil {
		return f
	}
	v := d.resources.Key("Font").Key(name)
	if v.IsNull() {
		return nil
	}
	d.limits.unpacks(v.Key("ToUnicode"))
	font := pdf.Font{V: v}
	f := &typeface{encoding: font.Encoder(), widths: map[int]float64{}, missing: 0.5}
	if v.Key("Subtype").Name() == "Type0" {
		f.double, f.missing = true, 1
		f.composite(v.Key("DescendantFonts").Index(0))
	} else {
		first := int(v.Key("FirstChar").Int64())
		widths := v.Key("Widths")
		for i := range min(widths.Len(), 256) {
			f.widths[first+i] = widths.Index(i).Float64() / 1000
		}
		if w := v.Key("FontDescriptor").Key("MissingWidth").Float64(); w > 0 {
			f.missing = w / 1000
		}
	}
	d.fonts[name] = f
	return f
}

// composite reads the widths of a font with many characters: "c [w1 w2 …]"
// and "first last w".
func (f *typeface) composite(v pdf.Value) {
	if dw := v.Key("DW"); !dw.IsNull() {
		f.missing = dw.Float64() / 1000
	}
	w := v.Key("W")
	for i := 0; i+1 < w.Len() && len(f.widths) < maxWidths; {
		first, next := int(w.Index(i).Int64()), w.Index(i+1)
		if next.Kind() == pdf.Array {
			for j := range min(next.Len(), maxWidths) {
				f.widths[first+j] = next.Index(j).Float64() / 1000
			}
			i += 2
			continue
		}
		width := w.Index(i+2).Float64() / 1000
		for c := first; c <= min(int(next.Int64()), first+maxWidths); c++ {
			f.widths[c] = width
		}
		i += 3
	}
}

// decode returns a string's text, its width, how many characters it has and
// how many of them are spaces that word spacing is for.
func (f *typeface) decode(raw string) (text string, width float64, count, spaces int) {
	step := 1
	if f.double {
		step = 2
	}
	for i := 0; i+step <= len(raw); i += step {
		code := int(raw[i])
		if f.double {
			code = code<<8 | int(raw[i+1])
		} else if raw[i] == ' ' {
			spaces++
		}
		w, known := f.widths[code]
		if !known {
			w = f.missing
		}
		width += w
		count++
	}
	return printable(f.encoding.Decode(raw)), width, count, spaces
}

// printable leaves out what is no text: control characters and what could not
// be decoded.
func printable(s string) string {
	clean := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r == 0xa0:
			clean = append(clean, ' ')
		case r < ' ' || r == utf8.RuneError || r >= 0x7f && r < 0xa0:
		case r >= 0xfb00 && r <= 0xfb04: // ligatures, which nobody searches for
			clean = append(clean, [...]string{"ff", "fi", "fl", "ffi", "ffl"}[r-0xfb00]...)
		default:
			clean = utf8.AppendRune(clean, r)
		}
	}
	return string(clean)
}
