package training

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"strata/domain"
)

// CheckpointPrefix begins the ids of checkpoints.
const CheckpointPrefix = "ckp"

// PartSize is how many bytes of a model one event holds: small enough for every
// log and broker that it may pass.
const PartSize = 512 << 10

// MaxModel bounds a model, in bytes: all parts are appended together.
const MaxModel = 16 << 20

// Stored is what is known of a checkpoint's model beside its bytes, which stay in
// the log.
type Stored struct {
	ID         string
	TrainingID string
	Parts      int
	Digest     string // "sha256:…" of the whole
	Size       int64
}

// Models folds the streams that hold the models of checkpoints.
var Models = &domain.Aggregate[Stored]{
	Category: "checkpoint", Prefix: CheckpointPrefix, Noun: "checkpoint", Fold: "1",
	New: func(id string) *Stored { return &Stored{ID: id} },
	Apply: func(s *Stored, e domain.Event) {
		if f, ok := e.Fact.(PartStored); ok {
			s.Parts++
			s.TrainingID, s.Digest, s.Size = f.TrainingID, f.Digest, f.Size
		}
	},
	Facts: []domain.FactType{domain.FactOf[PartStored]()},
}

// PartStored is a part of a checkpoint's model.
type PartStored struct {
	TrainingID string `json:"training_id"`
	Part       int    `json:"part"` // from 1
	Of         int    `json:"of"`
	Digest     string `json:"digest"` // of the whole
	Size       int64  `json:"size"`   // of the whole
	Data       []byte `json:"data"`
}

// EventType implements domain.Fact.
func (PartStored) EventType() string { return "checkpoint.part_stored.v1" }

// Digest names bytes by what they are.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Store keeps a model. The same once more is no error, another is.
type Store struct {
	TrainingID string
	Data       []byte
}

// Decide implements domain.Decider.
func (c Store) Decide(_ domain.Env, s *Stored) ([]domain.Fact, error) {
	digest := Digest(c.Data)
	if s.Parts > 0 {
		if s.Digest != digest {
			return nil, domain.Errorf(domain.CodeConflict, "checkpoint %q holds another model", s.ID)
		}
		return nil, nil
	}
	if len(c.Data) == 0 || len(c.Data) > MaxModel {
		return nil, domain.Errorf(domain.CodePayloadTooLarge, "a model of %d bytes cannot be kept: the most is %d", len(c.Data), MaxModel)
	}
	parts := (len(c.Data) + PartSize - 1) / PartSize
	facts := make([]domain.Fact, parts)
	for i := range facts {
		data := c.Data[i*PartSize : min((i+1)*PartSize, len(c.Data))]
		facts[i] = PartStored{TrainingID: c.TrainingID, Part: i + 1, Of: parts, Digest: digest, Size: int64(len(c.Data)), Data: data}
	}
	return facts, nil
}

// Assembly puts a model together again from its parts, in order.
type Assembly struct {
	data []byte
	last PartStored
}

// Add takes the next part.
func (a *Assembly) Add(p PartStored) { a.data, a.last = append(a.data, p.Data...), p }

// Model is the whole, when it is what was stored.
func (a *Assembly) Model() ([]byte, error) {
	if a.last.Part != a.last.Of || a.last.Of == 0 || Digest(a.data) != a.last.Digest {
		return nil, fmt.Errorf("the model is not whole: %d bytes of %d, parts %d of %d", len(a.data), a.last.Size, a.last.Part, a.last.Of)
	}
	return a.data, nil
}
