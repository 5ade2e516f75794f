package domaintest

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"strata/domain"
)

// counter yields the identifiers 1, 2, 3 …
func counter() func() uuid.UUID {
	var n uint64
	return func() uuid.UUID { n++; return number(n) }
}

func number(n uint64) (u uuid.UUID) {
	binary.BigEndian.PutUint64(u[8:], n)
	return u
}

// ID is the n-th identifier (from 1) that a scenario or a [Log] draws.
func ID(prefix string, n int) string { return domain.FormatID(prefix, number(uint64(n))) }

// Log records what several aggregates of one tenant decide, in one order, as
// the event log would.
type Log struct {
	Events    []domain.Event
	Now       time.Time
	Principal domain.Principal

	ids       func() uuid.UUID
	revisions map[domain.StreamID]domain.Revision
}

// NewLog returns an empty log of the tenant that scenarios use.
func NewLog() *Log {
	return &Log{
		Now: Now, ids: counter(), revisions: map[domain.StreamID]domain.Revision{},
		Principal: domain.Principal{Actor: Actor, Organization: Organization, Workspace: Workspace},
	}
}

// Env is what the next decision may know.
func (l *Log) Env() domain.Env { return domain.NewEnv(l.Now, l.Principal, l.ids) }

// Append records facts of a stream, as decided now.
func (l *Log) Append(stream domain.StreamID, facts ...domain.Fact) []domain.Event {
	from := len(l.Events)
	for _, f := range facts {
		subject := ""
		if p, ok := f.(domain.PersonalFact); ok {
			subject = p.DataSubject()
		}
		l.Events = append(l.Events, domain.Event{
			ID: l.ids(), Stream: stream, Revision: l.revisions[stream], Position: domain.Position(len(l.Events) + 1), Fact: f,
			Meta: domain.Metadata{Actor: l.Principal.Actor, Organization: l.Principal.Organization,
				Workspace: l.Principal.Workspace, OccurredAt: l.Now, Subject: subject},
		})
		l.revisions[stream]++
	}
	return l.Events[from:]
}

// Erase returns the events as they read once the key of a subject is destroyed.
func (l *Log) Erase(subject string) []domain.Event {
	out := make([]domain.Event, len(l.Events))
	for i, e := range l.Events {
		if e.Meta.Subject == subject {
			e.Fact = domain.Erased{Type: e.Fact.EventType()}
		}
		out[i] = e
	}
	return out
}

// Do decides a command on an aggregate's state, records what follows and folds
// it into the state. A refusal is returned and changes nothing.
func Do[S any](l *Log, agg *domain.Aggregate[S], id string, s *S, cmd domain.Decider[S]) error {
	facts, err := cmd.Decide(l.Env(), s)
	if err != nil {
		return err
	}
	for _, e := range l.Append(agg.Stream(id), facts...) {
		agg.Apply(s, e)
	}
	return nil
}
