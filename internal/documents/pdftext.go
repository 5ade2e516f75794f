package documents

import (
	"io"
	"math"
	"strings"

	"github.com/ledongthuc/pdf"
)

// pdfLimits is what a file has left of its limits.
type pdfLimits struct {
	task     pdfTask
	text     int64
	expanded int64
}

// unpacks panics when a stream unpacks to more than the file may. The library
// would read it without looking.
func (l *pdfLimits) unpacks(stream pdf.Value) {
	if stream.Kind() != pdf.Stream {
		return
	}
	r := stream.Reader()
	n, err := io.Copy(io.Discard, io.LimitReader(r, l.expanded+1))
	if l.expanded -= n; l.expanded < 0 {
		panic(tooMuch{"bytes when it is unpacked", l.task.Expanded})
	}
	if closeErr := r.Close(); err == nil && closeErr != nil {
		panic(closeErr)
	}
}

// say adds text within the limit.
func (l *pdfLimits) say(b *strings.Builder, s string) {
	if l.text -= int64(len(s)); l.text < 0 {
		panic(tooMuch{"bytes of text", l.task.Text})
	}
	b.WriteString(s)
}

// pageText reads the text of a page in the order it is drawn in. Where text
// goes down the page a line begins; far down, a paragraph.
func pageText(p pdf.Page, l *pdfLimits) string {
	t := &typist{limits: l}
	t.draw(p.V.Key("Contents"), p.Resources(), identity, 0)
	lines := strings.Split(t.out.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// matrix is a b c d e f of a transformation.
type matrix [6]float64

var identity = matrix{1, 0, 0, 1, 0, 0}

// times is m followed by n.
func (m matrix) times(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// typist follows the text operators of a page.
type typist struct {
	limits *pdfLimits
	out    strings.Builder

	// where the text drawn last ended
	x, y, size float64
	began      bool
}

// style is the graphics state that text depends on.
type style struct {
	ctm     matrix
	font    *typeface
	size    float64
	leading float64
	scale   float64 // horizontal, 1 is none
	char    float64 // added to every character
	word    float64 // added to every space
	rise    float64
}

// drawing is one content stream being followed.
type drawing struct {
	*typist
	resources pdf.Value
	fonts     map[string]*typeface
	now       style
	saved     []style
	tm, line  matrix
	depth     int
}

// maxSaved bounds the saved graphics states.
const maxSaved = 512

func (t *typist) draw(content, resources pdf.Value, ctm matrix, depth int) {
	if content.Kind() != pdf.Stream && content.Kind() != pdf.Array || depth > t.limits.task.Depth {
		return
	}
	t.limits.unpacks(content)
	for i := range content.Len() {
		if content.Kind() == pdf.Array {
			t.limits.unpacks(content.Index(i))
		}
	}
	d := &drawing{typist: t, resources: resources, fonts: map[string]*typeface{}, tm: identity, line: identity, depth: depth}
	d.now = style{ctm: ctm, scale: 1}
	pdf.Interpret(content, func(stack *pdf.Stack, op string) {
		args := make([]pdf.Value, stack.Len())
		for i := len(args) - 1; i >= 0; i-- {
			args[i] = stack.Pop()
		}
		d.do(op, args)
	})
}

// number returns an operand, 0 when it is not there.
func number(args []pdf.Value, i int) float64 {
	if i >= len(args) {
		return 0
	}
	return args[i].Float64()
}

func six(args []pdf.Value) matrix {
	var m matrix
	for i := range m {
		m[i] = number(args, i)
	}
	return m
}

func (d *drawing) do(op string, args []pdf.Value) {
	switch op {
	case "q":
		if len(d.saved) < maxSaved {
			d.saved = append(d.saved, d.now)
		}
	case "Q":
		if n := len(d.saved); n > 0 {
			d.now, d.saved = d.saved[n-1], d.saved[:n-1]
		}
	case "cm":
		d.now.ctm = six(args).times(d.now.ctm)
	case "Do":
		d.form(args)
	case "BT":
		d.tm, d.line = identity, identity
	case "Tf":
		if len(args) == 2 {
			d.now.font, d.now.size = d.typeface(args[0].Name()), args[1].Float64()
		}
	case "Tc":
		d.now.char = number(args, 0)
	case "Tw":
		d.now.word = number(args, 0)
	case "Tz":
		d.now.scale = number(args, 0) / 100
	case "TL":
		d.now.leading = number(args, 0)
	case "Ts":
		d.now.rise = number(args, 0)
	default:
		d.place(op, args)
	}
}

// place follows the operators that move and show text.
func (d *drawing) place(op string, args []pdf.Value) {
	switch op {
	case "Td":
		d.move(number(args, 0), number(args, 1))
	case "TD":
		d.now.leading = -number(args, 1)
		d.move(number(args, 0), number(args, 1))
	case "Tm":
		d.tm = six(args)
		d.line = d.tm
	case "T*":
		d.move(0, -d.now.leading)
	case "Tj":
		d.show(args)
	case "'":
		d.move(0, -d.now.leading)
		d.show(args)
	case "\"":
		if len(args) == 3 {
			d.now.word, d.now.char = args[0].Float64(), args[1].Float64()
			d.move(0, -d.now.leading)
			d.show(args[2:])
		}
	case "TJ":
		if len(args) == 0 {
			return
		}
		for i := range args[0].Len() {
			switch v := args[0].Index(i); v.Kind() {
			case pdf.String:
				d.string(v.RawString())
			case pdf.Integer, pdf.Real:
				d.advance(-v.Float64() / 1000 * d.now.size * d.now.scale)
			}
		}
	}
}

func (d *drawing) move(x, y float64) {
	d.line = matrix{1, 0, 0, 1, x, y}.times(d.line)
	d.tm = d.line
}

func (d *drawing) advance(x float64) { d.tm = matrix{1, 0, 0, 1, x, 0}.times(d.tm) }

func (d *drawing) show(args []pdf.Value) {
	if len(args) > 0 && args[0].Kind() == pdf.String {
		d.string(args[0].RawString())
	}
}

// form draws what is kept apart to be drawn in several places.
func (d *drawing) form(args []pdf.Value) {
	if len(args) != 1 {
		return
	}
	form := d.resources.Key("XObject").Key(args[0].Name())
	if form.Kind() != pdf.Stream || form.Key("Subtype").Name() != "Form" {
		return
	}
	resources := form.Key("Resources")
	if resources.IsNull() {
		resources = d.resources
	}
	m := identity
	if own := form.Key("Matrix"); own.Len() == 6 {
		for i := range m {
			m[i] = own.Index(i).Float64()
		}
	}
	d.draw(form, resources, m.times(d.now.ctm), d.depth+1)
}

// string shows a text and goes on to its end.
func (d *drawing) string(raw string) {
	if d.now.font == nil || raw == "" {
		return
	}
	text, width, count, spaces := d.now.font.decode(raw)
	m := matrix{d.now.size * d.now.scale, 0, 0, d.now.size, 0, d.now.rise}.times(d.tm).times(d.now.ctm)
	d.begin(m[4], m[5], math.Hypot(m[2], m[3]))
	d.limits.say(&d.out, text)
	d.advance((width*d.now.size + float64(count)*d.now.char + float64(spaces)*d.now.word) * d.now.scale)
	end := d.tm.times(d.now.ctm)
	d.x, d.y = end[4], end[5]
}

// begin puts what belongs between the text before and one that starts here.
func (t *typist) begin(x, y, size float64) {
	if size == 0 {
		size = 1
	}
	before := t.out.String()
	down := math.Abs(t.y - y)
	switch {
	case !t.began:
	case down > 1.8*math.Max(size, t.size):
		t.limits.say(&t.out, "\n\n")
	case down > 0.5*math.Min(size, t.size):
		t.limits.say(&t.out, "\n")
	case math.Abs(x-t.x) > 0.17*size && before != "" && !strings.HasSuffix(before, " ") && !strings.HasSuffix(before, "\n"):
		t.limits.say(&t.out, " ")
	}
	t.began, t.size = true, size
}
