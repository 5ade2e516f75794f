package conversation

import "strata/domain"

// Rename gives a conversation a title.
type Rename struct{ Title string }

// Decide implements domain.Decider.
func (c Rename) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	var f domain.Faults
	f.Add(c.Title == "", "title", "is required")
	checkTitle(&f, c.Title)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.Title == s.Title {
		return nil, nil
	}
	return []domain.Fact{Renamed{Title: c.Title, Subject: subject(s.UserID, s.ID)}}, nil
}
