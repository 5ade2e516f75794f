package tabular

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

const (
	parquetBuffer = 1 << 20  // bytes read at a time of each column
	maxFooter     = 32 << 20 // bytes of a Parquet file's own description
	parquetBatch  = 64       // rows decoded at once
)

// parquetReader reads the rows of a Parquet file: its leaves are the columns,
// named by their path with points between. What is repeated (a list) is one
// text cell, a JSON array.
type parquetReader struct {
	file   *parquet.File
	schema Schema
	leaves []leaf
	groups []parquet.RowGroup // those not yet begun
	rows   parquet.Rows
	batch  []parquet.Row
	ahead  []parquet.Row // decoded, not yet yielded
	row    Row
	failed error
}

// leaf is how to read one column.
type leaf struct {
	repeated bool
	convert  func(parquet.Value) Value
}

// rangeReader makes an io.ReaderAt of a source.
type rangeReader struct {
	ctx context.Context
	src Source
}

// ReadAt implements io.ReaderAt.
func (r rangeReader) ReadAt(p []byte, off int64) (int, error) {
	want := min(int64(len(p)), r.src.Size()-off)
	if want <= 0 {
		return 0, io.EOF
	}
	body, err := r.src.Range(r.ctx, off, want)
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(body, p[:want])
	if err = errors.Join(err, body.Close()); err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func openParquet(ctx context.Context, src Source) (_ *parquetReader, err error) {
	defer undamaged(&err)
	at := rangeReader{ctx, src}
	if err := checkFooter(at, src.Size()); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(at, src.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(parquetBuffer))
	if err != nil {
		return nil, fmt.Errorf("the Parquet file cannot be read: %w", err)
	}
	r := &parquetReader{file: f, groups: f.RowGroups(), batch: make([]parquet.Row, parquetBatch)}
	paths := f.Schema().Columns()
	if len(paths) > MaxColumns {
		return nil, fmt.Errorf("the table has %d columns, more than %d", len(paths), MaxColumns)
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = strings.Join(p, ".")
	}
	for i, name := range distinct(names) {
		column, ok := f.Schema().Lookup(paths[i]...)
		if !ok {
			return nil, fmt.Errorf("the Parquet file cannot be read: column %q is not in its schema", name)
		}
		t, convert := conversion(column.Node.Type())
		l := leaf{repeated: column.MaxRepetitionLevel > 0, convert: convert}
		if l.repeated {
			t = String
		}
		r.leaves = append(r.leaves, l)
		r.schema = append(r.schema, Column{Name: name, Type: t, Nullable: column.MaxDefinitionLevel > 0})
	}
	r.row = make(Row, len(r.schema))
	return r, nil
}

// checkFooter looks at the length the file gives its own description, before
// that much memory is asked for.
func checkFooter(at io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return errors.New("the file is not a Parquet file: it is too short")
	}
	if _, err := at.ReadAt(end[:], size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(end[4:]) != "PAR1" {
		return errors.New("the file is not a Parquet file, or one that is encrypted")
	}
	if n := int64(binary.LittleEndian.Uint32(end[:4])); n > min(maxFooter, size-8) {
		return fmt.Errorf("the Parquet file is damaged: it says it describes itself in %d bytes", n)
	}
	return nil
}

// undamaged turns a panic into an error: the decoder meets damaged files so.
func undamaged(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the Parquet file is damaged: %v", p)
	}
}

// Schema implements Reader.
func (r *parquetReader) Schema() Schema { return r.schema }

// Next implements Reader.
func (r *parquetReader) Next() (Row, error) {
	for len(r.ahead) == 0 {
		if r.failed == nil {
			r.failed = r.fill()
		}
		if len(r.ahead) == 0 && r.failed != nil {
			return nil, r.failed
		}
	}
	row := r.ahead[0]
	r.ahead = r.ahead[1:]
	if err := r.read(row); err != nil {
		r.failed, r.ahead = err, nil
		return nil, err
	}
	return r.row, nil
}

// fill decodes some more rows.
func (r *parquetReader) fill() (err error) {
	defer undamaged(&err)
	if r.rows == nil {
		if len(r.groups) == 0 {
			return io.EOF
		}
		r.rows, r.groups = r.groups[0].Rows(), r.groups[1:]
	}
	n, err := r.rows.ReadRows(r.batch)
	r.ahead = r.batch[:n]
	if errors.Is(err, io.EOF) {
		err = r.rows.Close()
		r.rows = nil
	} else if err == nil && n == 0 {
		err = io.ErrNoProgress
	}
	if err != nil {
		return fmt.Errorf("the Parquet file cannot be read: %w", err)
	}
	return nil
}

// read converts one row.
func (r *parquetReader) read(row parquet.Row) (err error) {
	defer undamaged(&err)
	clear(r.row)
	var lists map[int][]Value
	for _, v := range row {
		i := v.Column()
		if i < 0 || i >= len(r.leaves) {
			return errors.New("the Parquet file is damaged: a cell is of no column")
		}
		cell := Value{}
		if !v.IsNull() {
			cell = r.leaves[i].convert(v)
		}
		if !r.leaves[i].repeated {
			r.row[i] = cell
			continue
		}
		if lists == nil {
			lists = map[int][]Value{}
		}
		if !v.IsNull() || v.RepetitionLevel() > 0 { // a lone null is an empty list
			lists[i] = append(lists[i], cell)
		}
	}
	for i, list := range lists {
		b, err := json.Marshal(list)
		if err != nil {
			return err
		}
		r.row[i] = StringOf(string(b))
	}
	return nil
}

// Close implements Reader.
func (r *parquetReader) Close() error {
	r.failed, r.ahead = errors.New("the table is closed"), nil
	if r.rows == nil {
		return nil
	}
	rows := r.rows
	r.rows = nil
	return rows.Close()
}

// conversion says what a column of a Parquet type holds, and how to read it.
func conversion(t parquet.Type) (Type, func(parquet.Value) Value) {
	if lt := t.LogicalType(); lt != nil {
		switch l := lt.Value.(type) {
		case *format.DateType:
			return DateTime, func(v parquet.Value) Value { return DateTimeOf(time.Unix(int64(v.Int32())*86400, 0)) }
		case *format.TimestampType:
			if l.Unit.Value != nil {
				return DateTime, timestamp(l.Unit.Value.Duration())
			}
		case *format.DecimalType:
			return Number, decimal(int(l.Scale))
		case *format.UUIDType:
			return String, identifier
		case *format.IntType:
			if !l.IsSigned {
				return Integer, unsigned
			}
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return Boolean, func(v parquet.Value) Value { return BooleanOf(v.Boolean()) }
	case parquet.Int32:
		return Integer, func(v parquet.Value) Value { return IntegerOf(int64(v.Int32())) }
	case parquet.Int64:
		return Integer, func(v parquet.Value) Value { return IntegerOf(v.Int64()) }
	case parquet.Int96:
		return DateTime, julian
	case parquet.Float:
		return Number, func(v parquet.Value) Value { return NumberOf(float64(v.Float())) }
	case parquet.Double:
		return Number, func(v parquet.Value) Value { return NumberOf(v.Double()) }
	}
	return String, plainText
}

func timestamp(unit time.Duration) func(parquet.Value) Value {
	per := int64(time.Second / unit)
	return func(v parquet.Value) Value {
		n := v.Int64()
		return DateTimeOf(time.Unix(n/per, n%per*int64(unit)))
	}
}

// julian reads the old form of a moment: nanoseconds of a day, and the day.
func julian(v parquet.Value) Value {
	const epoch = 2440588 // the Julian day of 1970-01-01
	p := v.Int96()
	return DateTimeOf(time.Unix((int64(p[2])-epoch)*86400, int64(p[1])<<32|int64(p[0])))
}

// decimal reads a number of so many digits behind the point, however it is kept.
func decimal(scale int) func(parquet.Value) Value {
	divisor := math.Pow10(scale)
	return func(v parquet.Value) Value {
		switch v.Kind() {
		case parquet.Int32:
			return NumberOf(float64(v.Int32()) / divisor)
		case parquet.Int64:
			return NumberOf(float64(v.Int64()) / divisor)
		}
		b := v.ByteArray() // two's complement, the highest byte first
		n := new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b)*8)))
		}
		x, _ := new(big.Float).Quo(new(big.Float).SetInt(n), big.NewFloat(divisor)).Float64()
		return NumberOf(x)
	}
}

func identifier(v parquet.Value) Value {
	if id, err := uuid.FromBytes(v.ByteArray()); err == nil {
		return StringOf(id.String())
	}
	return plainText(v)
}

func unsigned(v parquet.Value) Value {
	if v.Kind() == parquet.Int32 {
		return IntegerOf(int64(v.Uint32()))
	}
	if n := v.Uint64(); n > math.MaxInt64 {
		return NumberOf(float64(n))
	}
	return IntegerOf(v.Int64())
}

// plainText is a text; bytes that are none are written in hexadecimal.
func plainText(v parquet.Value) Value {
	b := v.ByteArray()
	if utf8.Valid(b) {
		return StringOf(string(b))
	}
	return StringOf(hex.EncodeToString(b))
}
