package budget

import (
	"time"

	"strata/domain"
)

// Reserve holds the most a call can cost. A hard budget refuses with
// QUOTA_EXCEEDED what does not fit beside what is spent and reserved; a soft
// one holds it all the same, so that its figures stay true.
type Reserve struct {
	ID     string
	Amount domain.Money
	Tokens int64
	TTL    time.Duration // after which an unsettled reservation expires
}

// Decide implements domain.Decider.
func (c Reserve) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if s.Off {
		return nil, nil
	}
	if _, open := s.Open[c.ID]; open {
		return nil, nil // the same reservation again
	}
	var f domain.Faults
	f.Add(c.Amount < 0, "amount", "must not be negative")
	f.Add(c.Tokens < 0, "tokens", "must not be negative")
	if err := f.Err(); err != nil {
		return nil, err
	}
	facts := s.roll(env)
	spent, tokens := s.Spent, s.Tokens
	if len(facts) > 0 {
		spent, tokens = 0, 0
	}
	if s.Hard {
		if spent+s.Reserved+c.Amount > s.Limit {
			return nil, s.refuse(env, "%s would exceed the budget %q: %s of %s left", usd(c.Amount), s.Name,
				usd(max(0, s.Limit-spent-s.Reserved)), usd(s.Limit))
		}
		if s.LimitTokens > 0 && tokens+s.ReservedTokens+c.Tokens > s.LimitTokens {
			return nil, s.refuse(env, "up to %d tokens would exceed the budget %q: %d of %d left", c.Tokens, s.Name,
				max(0, s.LimitTokens-tokens-s.ReservedTokens), s.LimitTokens)
		}
	}
	return append(facts, Reserved{ID: c.ID, Amount: c.Amount, Tokens: c.Tokens, ExpiresAt: env.Now.Add(c.TTL)}), nil
}

func (s *State) refuse(env domain.Env, format string, args ...any) error {
	err := domain.Errorf(domain.CodeQuotaExceeded, format, args...).With("budget_id", s.ID)
	if end := s.At(env.Now).End; !end.IsZero() {
		err = err.With("resets_at", domain.FormatTime(end))
	}
	return err
}
