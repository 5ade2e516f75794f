package budget

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"strata/domain"
)

// Settle turns a reservation into what the call really cost. It may be told
// again and again: only the first time counts. A reservation that has expired
// in the meantime is settled late.
type Settle struct {
	ID     string
	Amount domain.Money
	Tokens int64
}

// Decide implements domain.Decider.
func (c Settle) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	_, open := s.Open[c.ID]
	_, expired := s.Expired[c.ID]
	if !open && !expired {
		return nil, nil
	}
	return append(s.roll(env), Settled{ID: c.ID, Amount: c.Amount, Tokens: c.Tokens, Late: !open}), nil
}

// Release gives a reservation back: the call cost nothing.
type Release struct{ ID string }

// Decide implements domain.Decider.
func (c Release) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if _, open := s.Open[c.ID]; !open {
		return nil, nil
	}
	return []domain.Fact{Released{ID: c.ID}}, nil
}

// Sweep releases the reservations that expire by a time: those that have
// expired when Until is zero. A later one is for reservations whose process is
// known to be dead.
type Sweep struct{ Until time.Time }

// Decide implements domain.Decider.
func (c Sweep) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if c.Until.IsZero() {
		c.Until = env.Now
	}
	var facts []domain.Fact
	for _, id := range slices.Sorted(maps.Keys(s.Open)) {
		if !c.Until.Before(s.Open[id].ExpiresAt) {
			facts = append(facts, Released{ID: id, Expired: true})
		}
	}
	return facts, nil
}

// usd writes an amount for people, without rounding: "$0.0012".
func usd(m domain.Money) string {
	s := fmt.Sprintf("%d.%06d", m/1e6, m%1e6)
	s = strings.TrimRight(s, "0")
	if dot := strings.IndexByte(s, '.'); len(s)-dot < 3 {
		s += strings.Repeat("0", 3-(len(s)-dot))
	}
	return "$" + s
}
