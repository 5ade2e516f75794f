// Package query holds what the queries of all read models share: keyset paging
// with opaque cursors, white lists of sortable fields, and conditions with
// bound values.
//
// A list is described once by a [List] value and read with [Run]; the three
// paging styles of the API (cursor, after an id, offset) come with it.
package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"strata/domain"
)

// Reader is what lists are read from: a model's database.
type Reader interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// Sorts names the orders a list may have: the name in the API → SQL expression
// of one value per row. The expression must not be NULL (use coalesce), or rows
// without a value would fall out of later pages.
type Sorts map[string]string

// Order is a resolved sort.
type Order struct {
	Name string // as in Sorts
	Expr string
	Desc bool
}

// String identifies the order in cursors.
func (o Order) String() string {
	if o.Desc {
		return "-" + o.Name
	}
	return o.Name
}

// Resolve finds the order called name, or fallback when name is "". An unknown
// name is a VALIDATION_ERROR naming the field "sort" and the names there are.
func (s Sorts) Resolve(name, fallback string, desc bool) (Order, error) {
	if name == "" {
		name = fallback
	}
	expr, ok := s[name]
	if !ok {
		names := make([]string, 0, len(s))
		for n := range s {
			names = append(names, n)
		}
		slices.Sort(names)
		var f domain.Faults
		f.Add(true, "sort", "must be one of %s", strings.Join(names, ", "))
		return Order{}, f.Err()
	}
	return Order{Name: name, Expr: expr, Desc: desc}, nil
}

// Page asks for a part of a list. At most one of Cursor, After and Offset is used.
type Page struct {
	Limit  int    // items; the default of 25 when 0, at most MaxLimit
	Cursor string // Next of the page before
	After  string // id of the last item of the page before
	Offset int    // items to leave out from the beginning
	Sort   string // name in the list's Sorts; "" = its default
	Desc   bool
}

// Limits of a page.
const (
	DefaultLimit = 25
	MaxLimit     = 1000
)

// List describes a list: SELECT Columns FROM From WHERE Where.
type List struct {
	Columns string
	From    string
	Where   *Where // may be nil
	ID      string // column that is unique in the list; breaks ties of the order
	Sorts   Sorts
	Default string // the order when the page names none
}

// Row is one row for a scan function to read the list's columns from.
type Row interface{ Scan(into ...any) error }

// Result is a page of a list.
type Result[T any] struct {
	Items   []T
	Next    string // cursor of the next page; "" when there is none
	HasMore bool
}

// Run reads a page of a list. Faults of the page (unknown sort, bad cursor, an
// id after which nothing can come) are VALIDATION_ERRORs naming the field.
func Run[T any](ctx context.Context, r Reader, l List, p Page, scan func(Row) (T, error)) (Result[T], error) {
	var out Result[T]
	order, err := l.Sorts.Resolve(p.Sort, l.Default, p.Desc)
	if err != nil {
		return out, err
	}
	where, err := l.seek(ctx, r, p, order)
	if err != nil {
		return out, err
	}
	limit := min(max(p.Limit, 0), MaxLimit)
	if limit == 0 {
		limit = DefaultLimit
	}
	direction := ""
	if order.Desc {
		direction = " DESC"
	}
	// Of a bare parameter SQLite takes the value into account when it plans, and
	// plans again whenever it is bound: that would cost more than reading a page.
	text := fmt.Sprintf("SELECT %s, %s, %s FROM %s%s ORDER BY %s%s, %s%s LIMIT ?+0 OFFSET ?",
		l.Columns, order.Expr, l.ID, l.From, where.SQL(), order.Expr, direction, l.ID, direction)
	rows, err := r.Query(ctx, text, append(where.Args(), limit+1, max(p.Offset, 0))...)
	if err != nil {
		return out, fmt.Errorf("list: %w", err)
	}
	defer rows.Close()
	last := Cursor{Order: order.String()}
	for rows.Next() {
		if len(out.Items) == limit {
			out.HasMore, out.Next = true, last.Encode()
			break
		}
		item, err := scan(withHidden{rows, &last})
		if err != nil {
			return out, fmt.Errorf("list: %w", err)
		}
		out.Items = append(out.Items, item)
	}
	return out, rows.Err()
}

// withHidden reads the two columns that Run has added behind the list's own.
type withHidden struct {
	rows *sql.Rows
	last *Cursor
}

// Scan implements Row.
func (h withHidden) Scan(into ...any) error {
	return h.rows.Scan(append(into, &h.last.Value, &h.last.ID)...)
}

// seek adds to the list's conditions the one that makes it begin where the page does.
func (l *List) seek(ctx context.Context, r Reader, p Page, o Order) (*Where, error) {
	where := l.Where.clone()
	var from Cursor
	switch {
	case p.Cursor != "":
		c, err := DecodeCursor(p.Cursor, o)
		if err != nil {
			return nil, err
		}
		from = c
	case p.After != "":
		from.ID = p.After
		one := l.Where.clone().Eq(l.ID, p.After)
		err := r.QueryRow(ctx, "SELECT "+o.Expr+" FROM "+l.From+one.SQL(), one.Args()...).Scan(&from.Value)
		if errors.Is(err, sql.ErrNoRows) {
			var f domain.Faults
			f.Add(true, "after", "names no item of this list")
			return nil, f.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
	default:
		return where, nil
	}
	compare := ">"
	if o.Desc {
		compare = "<"
	}
	return where.And(fmt.Sprintf("(%s, %s) %s (?, ?)", o.Expr, l.ID, compare), from.Value, from.ID), nil
}
