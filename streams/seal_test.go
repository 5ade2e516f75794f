package streams_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
)

// said is personal as a whole.
type said struct {
	Text    string `json:"text"`
	Subject string `json:"subject,omitempty"`
}

func (said) EventType() string     { return "test.said.v1" }
func (s said) DataSubject() string { return s.Subject }

// words are what is personal of a call.
type words struct {
	Tags []string `json:"tags,omitempty"`
}

// called is personal in part.
type called struct {
	Cost int    `json:"cost,omitempty"`
	User string `json:"user,omitempty"`
	words
}

func (called) EventType() string { return "test.called.v1" }

func (c called) SplitPersonal() (open domain.Fact, personal any, subject string) {
	if len(c.Tags) == 0 {
		return c, nil, ""
	}
	open = called{Cost: c.Cost, User: c.User}
	return open, c.words, "alice"
}

// xor is a key store that hides and binds, cheaply.
type xor struct{ gone map[streams.Subject]bool }

func (x *xor) Seal(dst []byte, s streams.Subject, bound, data []byte) ([]byte, error) {
	return flip(append(append(dst, byte(len(bound))), append(bound, data...)...), len(dst)), nil
}

func (x *xor) Open(s streams.Subject, bound, sealed []byte) ([]byte, error) {
	if x.gone[s] {
		return nil, streams.ErrErased
	}
	plain := flip(bytes.Clone(sealed), 0)
	if len(plain) == 0 || int(plain[0]) != len(bound) || !bytes.HasPrefix(plain[1:], bound) {
		return nil, errors.New("damaged")
	}
	return plain[1+len(bound):], nil
}

func flip(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		b[i] ^= 0x5a
	}
	return b
}

func newCodec(t testing.TB, keys streams.Keys) *streams.Codec {
	t.Helper()
	c, err := streams.NewCodec([]domain.FactType{domain.FactOf[said](), domain.FactOf[called]()}, nil, keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var inWorkspace = domain.Metadata{Organization: "org_1", Workspace: "ws_1"}

func stored(t testing.TB, c *streams.Codec, f domain.Fact) streams.Recorded {
	t.Helper()
	p, err := c.Encode(domain.NewEventID(), f, inWorkspace)
	if err != nil {
		t.Fatal(err)
	}
	return streams.Recorded{Proposed: p, Stream: "test-1", Position: 1}
}

func fact(t testing.TB, c *streams.Codec, r streams.Recorded) domain.Event {
	t.Helper()
	e, err := c.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPersonalFactsAreSealedAndRead(t *testing.T) {
	keys := &xor{gone: map[streams.Subject]bool{}}
	sealing, plain := newCodec(t, keys), newCodec(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		for _, f := range []domain.Fact{
			said{Text: rapid.String().Draw(t, "text"), Subject: rapid.SampledFrom([]string{"", "alice"}).Draw(t, "subject")},
			called{Cost: rapid.IntRange(0, 2).Draw(t, "cost"), words: words{Tags: rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "tags")}},
		} {
			want, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, writer := range []*streams.Codec{sealing, plain} { // also what was written before there were keys
				p, err := writer.Encode(domain.NewEventID(), f, inWorkspace)
				if err != nil {
					t.Fatal(err)
				}
				e, err := sealing.Decode(streams.Recorded{Proposed: p})
				if err != nil {
					t.Fatal(err)
				}
				got, err := json.Marshal(e.Fact)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s was read as %s (%v)", want, got, err)
				}
			}
		}
	})
}

func TestErasedFacts(t *testing.T) {
	keys := &xor{gone: map[streams.Subject]bool{}}
	c := newCodec(t, keys)
	whole := stored(t, c, said{Text: "my secret", Subject: "alice"})
	part := stored(t, c, called{Cost: 7, words: words{Tags: []string{"my secret"}}})
	if !streams.Sealed(whole) || !streams.Sealed(part) || strings.Contains(string(whole.Data)+string(part.Data), "secret") {
		t.Fatalf("stored as %q and %q", whole.Data, part.Data)
	}
	keys.gone[streams.Subject{Organization: "org_1", Workspace: "ws_1", ID: "alice"}] = true
	if e := fact(t, c, whole); e.Fact != (domain.Erased{Type: "test.said.v1"}) || e.Meta.Subject != "alice" {
		t.Errorf("got %+v", e)
	}
	if e := fact(t, c, part); !reflect.DeepEqual(e.Fact, called{Cost: 7}) {
		t.Errorf("got %+v", e)
	}
}

func TestTheSameIdElsewhereIsAnotherSubject(t *testing.T) {
	keys := &xor{gone: map[streams.Subject]bool{{Organization: "org_1", Workspace: "ws_2", ID: "alice"}: true}}
	c := newCodec(t, keys)
	f := said{Text: "my secret", Subject: "alice"}
	if e := fact(t, c, stored(t, c, f)); e.Fact != f {
		t.Errorf("got %+v", e.Fact)
	}
}

func TestSealedDataBelongsToItsEvent(t *testing.T) {
	c := newCodec(t, &xor{})
	a, b := stored(t, c, said{Text: "a", Subject: "alice"}), stored(t, c, said{Text: "b", Subject: "alice"})
	a.Data = b.Data
	if e, err := c.Decode(a); err == nil {
		t.Errorf("read as %+v", e.Fact)
	}
	if e, err := newCodec(t, nil).Decode(b); err == nil {
		t.Errorf("without keys read as %+v", e.Fact)
	}
}

// FuzzFrame decodes anything that may stand where sealed data should.
func FuzzFrame(f *testing.F) {
	c := newCodec(f, &xor{})
	whole := stored(f, c, said{Text: "a", Subject: "alice"})
	part := stored(f, c, called{Cost: 7, words: words{Tags: []string{"x"}}})
	f.Add(whole.Data, false)
	f.Add(part.Data, true)
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, true)
	f.Add([]byte{2, 2, '{', '}'}, true)
	f.Fuzz(func(t *testing.T, data []byte, partly bool) {
		r := whole
		if partly {
			r = part
		}
		r.Data = data
		if e, err := c.Decode(r); err == nil && e.Fact == nil {
			t.Errorf("%x is read as nothing", data)
		}
	})
}
