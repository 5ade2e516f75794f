package memory

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"strata/domain"
)

// Vector is what is known of the meaning of a memory's text. It has a stream of
// its own under the memory's id: what is found out behind a client's back must
// not change the revision that the client compares with.
type Vector struct {
	ID      string
	Of      string // what was embedded, see [Fingerprint]; "" for nothing
	Model   string // that made the vector
	Subject string // whose key seals it
	Removed bool   // the memory is gone, and so this is, for good

	Failed EmbeddingFailed // the last try, if it failed
}

// Vectors folds the streams of vectors. The numbers are not kept in the state:
// no decision needs them.
var Vectors = &domain.Aggregate[Vector]{
	Category: "memory_vector", Prefix: "mem", Noun: "vector of a memory", Fold: "2",
	New:   func(id string) *Vector { return &Vector{ID: id} },
	Apply: func(v *Vector, e domain.Event) { v.apply(e) },
	Facts: []domain.FactType{domain.FactOf[Embedded](), domain.FactOf[EmbeddingFailed](), domain.FactOf[VectorRemoved]()},
}

// Embedded says what the text of a memory means to a model.
type Embedded struct {
	Of          string `json:"of"` // the text, see [Fingerprint]
	Model       string `json:"model"`
	Numbers     []byte `json:"numbers"`                // of length 1, 32 bits each, see [Pack]
	DuplicateOf string `json:"duplicate_of,omitempty"` // the memory that said nearly the same before
	Subject     string `json:"subject,omitempty"`      // whose key seals this fact
}

// EventType implements domain.Fact.
func (Embedded) EventType() string { return "memory_vector.embedded.v1" }

// DataSubject implements domain.PersonalFact.
func (f Embedded) DataSubject() string { return f.Subject }

// VectorRemoved says that the memory is gone.
type VectorRemoved struct{}

// EventType implements domain.Fact.
func (VectorRemoved) EventType() string { return "memory_vector.removed.v1" }

func (v *Vector) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case Embedded:
		v.Of, v.Model, v.Subject, v.Failed = f.Of, f.Model, f.Subject, EmbeddingFailed{}
	case EmbeddingFailed:
		v.Failed = f
	case VectorRemoved:
		*v = Vector{ID: v.ID, Removed: true}
	case domain.Erased:
		*v = Vector{ID: v.ID, Removed: v.Removed}
	}
}

// Keep keeps a vector, unless the memory has gone while it was made.
type Keep struct{ Embedded }

// Decide implements domain.Decider.
func (c Keep) Decide(_ domain.Env, v *Vector) ([]domain.Fact, error) {
	var f domain.Faults
	f.Add(c.Of == "", "of", "is required")
	f.Add(c.Model == "", "model", "is required")
	f.Add(len(c.Numbers) == 0 || len(c.Numbers)%4 != 0, "numbers", "must be numbers of 32 bits")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if v.Removed || v.Stands(c.Of, c.Model, c.Subject) {
		return nil, nil
	}
	return []domain.Fact{c.Embedded}, nil
}

// Stands tells whether the vector is a text's, by a model, and under the right
// key: a memory that came to be about another user needs a vector that goes with
// that user.
func (v *Vector) Stands(of, model, subject string) bool {
	return v.Of == of && v.Model == model && v.Subject == subject
}

// Remove removes the vector of a memory that is gone.
type Remove struct{}

// Decide implements domain.Decider.
func (Remove) Decide(_ domain.Env, v *Vector) ([]domain.Fact, error) {
	if v.Removed {
		return nil, nil
	}
	return []domain.Fact{VectorRemoved{}}, nil
}

// Fingerprint tells texts apart.
func Fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// Pack brings a vector to length 1, so that products are cosines, and writes it as
// little-endian numbers of 32 bits. A vector without length stays as it is: it is
// like nothing.
func Pack(v []float32) []byte {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	length := math.Sqrt(square)
	if length == 0 || math.IsNaN(length) || math.IsInf(length, 0) {
		return make([]byte, 4*len(v))
	}
	packed := make([]byte, 0, 4*len(v))
	for _, x := range v {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(float32(float64(x)/length)))
	}
	return packed
}

// Likeness is the cosine of two packed vectors, from -1 to 1; 0 for vectors of
// different lengths, which cannot be compared.
func Likeness(a, b []byte) float64 {
	if len(a) != len(b) {
		return 0
	}
	var product float64
	for i := 0; i+4 <= len(a); i += 4 {
		x := math.Float32frombits(binary.LittleEndian.Uint32(a[i:]))
		y := math.Float32frombits(binary.LittleEndian.Uint32(b[i:]))
		product += float64(x) * float64(y)
	}
	return max(-1, min(1, product))
}
