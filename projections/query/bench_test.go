package query

import (
	"fmt"
	"testing"
)

// A page of a list, as it is read again and again.
func BenchmarkPage(b *testing.B) {
	var rows []item
	for i := range 1000 {
		rows = append(rows, item{fmt.Sprintf("i%04d", i), i})
	}
	db := listDB(b, rows)
	list := items
	list.Where = new(Where).And("n >= ?", 0)
	for b.Loop() {
		if _, err := Run(b.Context(), db, list, Page{Limit: 10, Sort: "id"}, scanItem); err != nil {
			b.Fatal(err)
		}
	}
}
