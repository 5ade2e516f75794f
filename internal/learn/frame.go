package learn

import (
	"math"
	"strconv"
	"strings"
)

// ColumnKind is how the values of a column are understood.
type ColumnKind string

// The kinds of columns.
const (
	Number   ColumnKind = "number"
	Category ColumnKind = "category"
)

// Column is one column of a [Frame].
type Column struct {
	Name string     `json:"name"`
	Kind ColumnKind `json:"kind"`
}

// Cell is one value as it was read: a number, a text, or missing, which the zero
// Cell is.
type Cell struct {
	Kind   CellKind
	Number float64
	Text   string
}

// CellKind says which field of a [Cell] counts.
type CellKind uint8

// The kinds of cells.
const (
	Missing CellKind = iota
	IsNumber
	IsText
)

// NumberCell is the cell of a number. NaN is a missing value.
func NumberCell(v float64) Cell { return Cell{Kind: IsNumber, Number: v} }

// TextCell is the cell of a text.
func TextCell(s string) Cell { return Cell{Kind: IsText, Text: s} }

// number is the cell in a column of numbers; NaN when it is none.
func (c Cell) number() float64 {
	switch c.Kind {
	case IsNumber:
		if !math.IsInf(c.Number, 0) {
			return c.Number
		}
	case IsText:
		if v, err := strconv.ParseFloat(strings.TrimSpace(c.Text), 64); err == nil && !math.IsInf(v, 0) {
			return v
		}
	}
	return math.NaN()
}

// level is the cell in a column of categories; false when it is missing.
func (c Cell) level() (string, bool) {
	switch c.Kind {
	case IsNumber:
		if !math.IsNaN(c.Number) {
			return strconv.FormatFloat(c.Number, 'g', -1, 64), true
		}
	case IsText:
		return c.Text, true
	}
	return "", false
}

// Frame is a table in memory, by columns: eight bytes for a number, four for a
// category.
type Frame struct {
	columns []Column
	rows    int
	numbers [][]float64 // by column; nil for categories
	codes   [][]int32   // by column: index into levels, -1 when missing; nil for numbers
	levels  [][]string
	index   []map[string]int32
}

// NewFrame makes an empty frame.
func NewFrame(columns []Column) *Frame {
	n := len(columns)
	f := &Frame{columns: columns, numbers: make([][]float64, n), codes: make([][]int32, n), levels: make([][]string, n), index: make([]map[string]int32, n)}
	for i, c := range columns {
		if c.Kind == Category {
			f.index[i] = map[string]int32{}
		}
	}
	return f
}

// Append adds a row: a cell for each column, in their order. A cell is turned
// into what its column holds: text that is no number is missing from a column
// of numbers, and a number is the category of its digits.
func (f *Frame) Append(row []Cell) {
	for i, cell := range row {
		if f.columns[i].Kind == Number {
			f.numbers[i] = append(f.numbers[i], cell.number())
			continue
		}
		f.codes[i] = append(f.codes[i], f.code(i, cell))
	}
	f.rows++
}

func (f *Frame) code(column int, cell Cell) int32 {
	level, ok := cell.level()
	if !ok {
		return -1
	}
	code, known := f.index[column][level]
	if !known {
		code = int32(len(f.levels[column])) //nolint:gosec // a frame has fewer rows than that
		level = strings.Clone(level)        // not the line that it was cut from
		f.index[column][level] = code
		f.levels[column] = append(f.levels[column], level)
	}
	return code
}

// Rows is how many rows were added.
func (f *Frame) Rows() int { return f.rows }

// find is the place of a column by name; -1 when there is none.
func (f *Frame) find(name string) int {
	for i, c := range f.columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}
