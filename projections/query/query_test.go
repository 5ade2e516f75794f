package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/internal/sqlite"
)

func FuzzDecodeCursor(f *testing.F) {
	o := Order{Name: "created_at", Expr: "created_at", Desc: true}
	for _, v := range []any{nil, int64(1), 2.5, "x", 3.0} {
		f.Add(Cursor{Order: o.String(), Value: v, ID: "id"}.Encode())
	}
	f.Add("")
	f.Add("WzEsMl0")
	f.Fuzz(func(t *testing.T, word string) {
		c, err := DecodeCursor(word, o)
		if err != nil {
			var e *domain.Error
			if !errors.As(err, &e) || e.Code != domain.CodeValidation || e.Fields[0].Field != "cursor" {
				t.Fatalf("error %v does not name the cursor", err)
			}
			return
		}
		again, err := DecodeCursor(c.Encode(), o)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%#v became %#v, %v", c, again, err)
		}
	})
}

func TestCursorKeepsValuesExactly(t *testing.T) {
	o := Order{Name: "n"}
	for _, v := range []any{nil, int64(math.MaxInt64), int64(math.MinInt64), 0.1, 2.0, -1e300, "", "a\"b\x00ü"} {
		c := Cursor{Order: o.String(), Value: v, ID: "x_1"}
		got, err := DecodeCursor(c.Encode(), o)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%#v became %#v, %v", c, got, err)
		}
	}
}

func TestCursorOfAnotherOrderIsRefused(t *testing.T) {
	word := Cursor{Order: "name", Value: "x", ID: "1"}.Encode()
	for _, o := range []Order{{Name: "name", Desc: true}, {Name: "created_at"}} {
		if _, err := DecodeCursor(word, o); !errors.Is(err, domain.ErrValidation) {
			t.Errorf("%v: %v", o, err)
		}
	}
}

func TestWhere(t *testing.T) {
	w := (&Where{}).Eq("a", 1).EqIf("b", "").EqIf("c", "x").In("d", nil).In("e", []string{"p", "q"}).Prefix("f", "run.").Prefix("g", "\xff")
	if got, want := w.SQL(), " WHERE a = ? AND c = ? AND e IN (?, ?) AND f >= ? AND f < ? AND g >= ?"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(w.Args()...); got != fmt.Sprint(1, "x", "p", "q", "run.", "run/", "\xff") {
		t.Errorf("args %v", got)
	}
	if (&Where{}).SQL() != "" {
		t.Error("no condition is not empty")
	}
}

type item struct {
	id string
	n  int
}

// reader reads a database as a model's queries do.
type reader struct{ *sqlite.DB }

func (r reader) QueryRow(ctx context.Context, query string, args ...any) Row {
	return r.DB.QueryRow(ctx, query, args...)
}

func listDB(t testing.TB, rows []item) reader {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	err = db.Write(t.Context(), func(tx *sqlite.Tx) error {
		if _, err := tx.Exec(t.Context(), "CREATE TABLE items (id TEXT PRIMARY KEY, n INTEGER NOT NULL); CREATE VIRTUAL TABLE words USING fts5 (text);"); err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := tx.Exec(t.Context(), "INSERT INTO items VALUES (?, ?)", r.id, r.n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return reader{db}
}

var items = List{Columns: "n, id", From: "items", ID: "id", Default: "n", Sorts: Sorts{"n": "n", "id": "id", "half": "n / 2.0"}}

func scanItem(r Row) (item, error) {
	var i item
	err := r.Scan(&i.n, &i.id)
	return i, err
}

// Paging with cursors, ids or offsets shows every item once, in order.
func TestPropertyPagesMakeTheWholeList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var all []item
		for i := range rapid.IntRange(0, 30).Draw(rt, "items") {
			all = append(all, item{fmt.Sprintf("i%02d", i), rapid.IntRange(0, 5).Draw(rt, "n")})
		}
		db := listDB(t, all)
		p := Page{Limit: rapid.IntRange(1, 8).Draw(rt, "limit"), Desc: rapid.Bool().Draw(rt, "desc"),
			Sort: rapid.SampledFrom([]string{"", "n", "id", "half"}).Draw(rt, "sort")}
		style := rapid.SampledFrom([]string{"cursor", "after", "offset"}).Draw(rt, "style")
		slices.SortFunc(all, func(a, b item) int {
			c := a.n - b.n
			if p.Sort == "id" || c == 0 {
				c = strings.Compare(a.id, b.id)
			}
			if p.Desc {
				return -c
			}
			return c
		})
		var got []item
		for {
			r, err := Run(t.Context(), db, items, p, scanItem)
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, r.Items...)
			if r.HasMore != (len(got) < len(all)) || r.HasMore != (r.Next != "") {
				rt.Fatalf("has more: %v after %d of %d, next %q", r.HasMore, len(got), len(all), r.Next)
			}
			if !r.HasMore {
				break
			}
			switch style {
			case "cursor":
				p.Cursor = r.Next
			case "after":
				p.After = r.Items[len(r.Items)-1].id
			default:
				p.Offset = len(got)
			}
		}
		if !slices.Equal(got, all) {
			rt.Fatalf("got %v\nwant %v", got, all)
		}
	})
}

func TestFaultsOfAPageNameTheField(t *testing.T) {
	db := listDB(t, []item{{"a", 1}})
	for field, p := range map[string]Page{
		"sort":   {Sort: "n; DROP TABLE items"},
		"cursor": {Cursor: "%%%"},
		"after":  {After: "nobody"},
	} {
		_, err := Run(t.Context(), db, items, p, scanItem)
		var e *domain.Error
		if !errors.As(err, &e) || e.Code != domain.CodeValidation || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Whatever is typed, the search is a well-formed query.
func FuzzMatchWords(f *testing.F) {
	for _, s := range []string{"", "hello wor", `a" OR b`, "!!! ???", "NEAR(a b)", "col:x*", "\x00", "ünï -cödé^2"} {
		f.Add(s)
	}
	db := listDB(f, nil)
	f.Fuzz(func(t *testing.T, s string) {
		words := MatchWords(s)
		if words == "" {
			return
		}
		var n int
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM words WHERE words MATCH ?", "text : ("+words+")").Scan(&n); err != nil {
			t.Fatalf("%q → %q: %v", s, words, err)
		}
	})
}

func TestCacheDoesNotKeepWhatACommitMadeOld(t *testing.T) {
	c := NewCache[int](2)
	load := func(v int) func() (int, error) { return func() (int, error) { return v, nil } }
	get := func(key string, stored int) int {
		v, err := c.Get(key, load(stored))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if get("a", 1) != 1 || get("a", 2) != 1 {
		t.Error("a value is not kept")
	}
	c.Forget("a")
	if get("a", 2) != 2 {
		t.Error("a value is not forgotten")
	}
	// A commit happens while the old row is being read.
	_, err := c.Get("b", func() (int, error) { c.Forget("b"); return 1, nil })
	if err != nil || get("b", 2) != 2 {
		t.Error("an old value is kept")
	}
	get("c", 1)
	get("d", 1)
	if get("c", 9) != 1 || get("b", 9) != 9 {
		t.Error("not the least recently used value made room")
	}
	boom := errors.New("boom")
	if _, err := c.Get("e", func() (int, error) { return 0, boom }); !errors.Is(err, boom) || get("e", 5) != 5 {
		t.Error("an error is kept")
	}
}

// A cache bounded by sizes holds what was kept last and never more than it may.
func TestPropertySizedCacheStaysWithinItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const bound = 80
		c := NewSizedCache(bound, func(v string) int { return len(v) })
		stored, changes := map[string]string{}, 0
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}).Draw(t, "key")
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				changes++
				stored[key] = fmt.Sprint(changes, strings.Repeat("x", rapid.IntRange(0, 12).Draw(t, "length")))
				c.Forget(key)
			case 1:
				c.Clear()
			default:
				got, err := c.Get(key, func() (string, error) { return stored[key], nil })
				if err != nil || got != stored[key] {
					t.Fatalf("%s is %q, not %q", key, got, stored[key])
				}
				if again, found, _ := c.Find(key); len(got) <= bound/8 && (!found || again != got) {
					t.Fatalf("%s is not kept", key)
				} else if len(got) > bound/8 && found {
					t.Fatalf("%s is kept though it is large", key)
				}
			}
			sum := 0
			for _, e := range c.entries {
				sum += e.Value.(*entry[string]).size
			}
			if sum != c.used || sum > bound || len(c.entries) != c.recent.Len() {
				t.Fatalf("holds %d, counted %d", sum, c.used)
			}
		}
	})
}
