package live

import "testing"

func TestInterest(t *testing.T) {
	all, remaining := InterestOf(""), InterestOf("a.b")
	some := InterestOf(" session.*, budget.created ,,app.deleted.v1")
	for _, test := range []struct {
		name string
		i    Interest
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
		{"words that stand for nothing else", remaining.without([]string{"c.*"}), "a.b.v1", true},
	} {
		if got := test.i.wants(test.typ); got != test.want {
			t.Errorf("%s: %s %v", test.name, test.typ, got)
		}
	}
	for i, a := range []Interest{all, some, InterestOf("a,b"), {only: []string{"a,b"}}, {except: []string{"a", "b"}}, {nothing: true}} {
		for j, b := range []Interest{all, some, InterestOf("a,b"), {only: []string{"a,b"}}, {except: []string{"a", "b"}}, {nothing: true}} {
			if (a.key() == b.key()) != (i == j) {
				t.Errorf("keys of %+v and %+v", a, b)
			}
		}
	}
	once := all.without([]string{"a", "a"})
	if again := once.without([]string{"a"}); len(again.except) != 1 {
		t.Errorf("the same word again: %+v", again)
	}
}
