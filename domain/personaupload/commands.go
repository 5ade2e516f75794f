package personaupload

import (
	"crypto/subtle"
	"slices"
	"time"

	"strata/domain"
)

// Receive begins an upload.
type Receive struct {
	Token     string // SHA-256 of the token's secret, hexadecimal
	Files     int
	ExpiresAt time.Time
}

// Decide implements domain.Decider.
func (c Receive) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "upload %q exists already", s.ID)
	}
	var f domain.Faults
	f.Add(c.Token == "", "token", "is required")
	f.Add(!c.ExpiresAt.After(env.Now), "expires_at", "must be in the future")
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{Received{Token: c.Token, Files: c.Files, ExpiresAt: c.ExpiresAt.UTC()}}, nil
}

// AddRows adds the next chunk.
type AddRows struct{ Rows []Row }

// Decide implements domain.Decider.
func (c AddRows) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status != Receiving {
		return nil, domain.Errorf(domain.CodeConflict, "upload %q takes no rows", s.ID)
	}
	if len(c.Rows) == 0 {
		return nil, nil
	}
	return []domain.Fact{RowsParsed{Chunk: s.Chunks, First: s.Rows, Rows: c.Rows, Subject: s.ID}}, nil
}

// Prepare says that all rows are in.
type Prepare struct{ Conflicts int }

// Decide implements domain.Decider.
func (c Prepare) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status != Receiving {
		return nil, domain.Errorf(domain.CodeConflict, "upload %q is %s", s.ID, s.Status)
	}
	if s.Rows == 0 {
		var f domain.Faults
		f.Add(true, "files", "hold no personas")
		return nil, f.Err()
	}
	return []domain.Fact{Prepared{Total: s.Rows, Chunks: s.Chunks, Conflicts: c.Conflicts}}, nil
}

// Confirm uses the token up. A token that is not the upload's, and an upload
// that is not there, are told apart by nobody.
type Confirm struct {
	Token      string // SHA-256 of the secret, hexadecimal
	Resolution Resolution
}

// Decide implements domain.Decider.
func (c Confirm) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status == "" || s.Status == Receiving || subtle.ConstantTimeCompare([]byte(c.Token), []byte(s.Token)) != 1 {
		return nil, domain.Errorf(domain.CodeNotFound, "the upload token is not known")
	}
	var f domain.Faults
	f.Add(!slices.Contains(Resolutions(), c.Resolution), "conflict_resolution", "must be one of %v", Resolutions())
	if err := f.Err(); err != nil {
		return nil, err
	}
	switch {
	case s.Status == TimedOut, s.Status == Pending && !env.Now.Before(s.ExpiresAt):
		return nil, domain.Errorf(domain.CodeGone, "the upload expired at %s; upload the files again", domain.FormatTime(s.ExpiresAt))
	case s.Status != Pending:
		return nil, domain.Errorf(domain.CodeConflict, "the upload token has been used: the upload is %s", s.Status).
			With("status", s.Status).With("total_uploaded", s.Counts.Created+s.Counts.Updated)
	}
	return []domain.Fact{Confirmed{Resolution: c.Resolution}}, nil
}

// Record says what became of a chunk; with the last one the upload ends.
type Record struct {
	Chunk  int
	Counts Counts
}

// Decide implements domain.Decider. A chunk that is recorded already is left as
// it is: somebody else was faster.
func (c Record) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status == Done || s.Status == Processing && c.Chunk < s.Applied {
		return nil, nil
	}
	if s.Status != Processing || c.Chunk != s.Applied {
		return nil, domain.Errorf(domain.CodeConflict, "chunk %d of upload %q is not the next", c.Chunk, s.ID)
	}
	facts := []domain.Fact{RowsApplied{Chunk: c.Chunk, Counts: c.Counts}}
	if c.Chunk+1 == s.Chunks {
		facts = append(facts, Completed{s.Counts.Plus(c.Counts)})
	}
	return facts, nil
}

// Expire ends an upload that nobody confirmed in time, also one that a crash
// left without all of its rows.
type Expire struct{}

// Decide implements domain.Decider.
func (Expire) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status != Pending && s.Status != Receiving || env.Now.Before(s.ExpiresAt) {
		return nil, nil
	}
	return []domain.Fact{Expired{}}, nil
}
