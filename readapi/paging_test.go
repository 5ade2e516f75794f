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
