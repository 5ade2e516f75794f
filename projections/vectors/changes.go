package vectors

import "strata/domain"

// categories are the streams whose events change vectors.
func categories() []string { return []string{"knowledge"} }

// ChangesOf says what an event does to the vectors: nothing, mostly.
func ChangesOf(e domain.Event) []Change {
	switch e.Fact.(type) {
	default:
		return nil
	}
}
