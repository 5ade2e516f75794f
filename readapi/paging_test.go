package readapi

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/internal/httpx"
)

// Whatever the page size, the pages of a list in memory are the list.
func TestSlicedPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int(), 0, 60).Draw(t, "items")
		limit := rapid.IntRange(1, 25).Draw(t, "limit")
		var seen []int
		p := httpx.ListParams{Limit: limit}
		for {
			r, err := sliced(all, p)
			if err != nil {
				t.Fatal(err)
			}
			if seen = append(seen, r.Items...); !r.HasMore {
				break
			}
			if len(r.Items) != limit || r.Next == "" {
				t.Fatalf("a page of %d before the last, next %q", len(r.Items), r.Next)
			}
			p.Cursor = r.Next
		}
		if !slices.Equal(seen, all) {
			t.Fatalf("seen %v of %v", seen, all)
		}
	})
}

func TestSlicedBeyondTheEnd(t *testing.T) {
	for _, p := range []httpx.ListParams{{Limit: 5, Offset: 9}, {Limit: 5, Offset: math.MaxInt}, {Limit: math.MaxInt, Offset: 2}} {
		r, err := sliced([]int{1, 2, 3}, p)
		if err != nil || r.HasMore || len(r.Items) > 1 {
			t.Errorf("%+v: %v %v", p, r, err)
		}
	}
	if _, err := sliced([]int{1}, httpx.ListParams{Limit: 5, Cursor: "nonsense"}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("a cursor of another list: %v", err)
	}
}

func TestInterest(t *testing.T) {
	all, some := interestOf(""), interestOf(" session.*, budget.created ,,app.deleted.v1")
	for _, test := range []struct {
		name string
		i    interest
		typ  string
		want bool
	}{
		{"all", all, "anything.v1", true},
		{"family", some, "session.event_added.v3", true},
		{"without version", some, "budget.created.v2", true},
		{"not a longer word", some, "budget.created_twice.v1", false},
		{"exact", some, "app.deleted.v1", true},
		{"another version", some, "app.deleted.v2", false},
		{"given up", some.without([]string{"session.event_added"}), "session.event_added.v1", false},
		{"the rest of the family", some.without([]string{"session.event_added"}), "session.created.v1", true},
		{"all but", all.without([]string{"session.*"}), "session.created.v1", false},
		{"all but, the others", all.without([]string{"session.*"}), "app.created.v1", true},
		{"nothing", some.without(nil), "session.created.v1", false},
		{"nothing is left", some.without([]string{"session.*", "budget.created", "app.deleted.v1"}), "app.created.v1", false},
		{"words that stand for nothing else", interestOf("a.b").without([]string{"c.*"}), "a.b.v1", true},
	} {
		if got := test.i.wants(test.typ); got != test.want {
			t.Errorf("%s: %s %v", test.name, test.typ, got)
		}
	}
	once := all.without([]string{"a", "a"})
	if again := once.without([]string{"a"}); len(again.except) != 1 {
		t.Errorf("the same word again: %+v", again)
	}
}
