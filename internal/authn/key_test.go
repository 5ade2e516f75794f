package authn_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"strata/internal/authn"
)

func newKey(t testing.TB) authn.Key {
	t.Helper()
	k, err := authn.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNewKey(t *testing.T) {
	a, b := newKey(t), newKey(t)
	if a.Token == b.Token || a.Prefix == b.Prefix || a.Hash == b.Hash {
		t.Error("two keys are alike")
	}
	if len(a.Token) != 66 || !strings.HasPrefix(a.Token, "sk-strata-"+a.Prefix+"-") || len(a.Prefix) != 12 {
		t.Errorf("key %q with prefix %q", a.Token, a.Prefix)
	}
	if shown := fmt.Sprint(a); strings.Contains(shown, a.Token[30:]) {
		t.Errorf("printing a key shows its secret: %s", shown)
	}
	parsed, err := authn.Parse(a.Token)
	if err != nil || parsed != a {
		t.Errorf("parsed %#v, %v", parsed, err)
	}
	if a.Matches(b.Hash) || !a.Matches(authn.Hash(a.Token)) {
		t.Error("Matches does not tell keys apart")
	}
}

// The extremes of randomness still make keys of the right form.
func TestNewKeyExtremes(t *testing.T) {
	for _, b := range []byte{0x00, 0xff} {
		k, err := authn.NewKey(bytes.NewReader(bytes.Repeat([]byte{b}, 40)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := authn.Parse(k.Token); err != nil {
			t.Errorf("%q: %v", k.Token, err)
		}
	}
	if _, err := authn.NewKey(bytes.NewReader(make([]byte, 39))); err == nil {
		t.Error("a key was made of too little randomness")
	}
	if _, err := authn.NewKey(failing{}); !errors.Is(err, errNoRandomness) {
		t.Errorf("error %v", err)
	}
}

var errNoRandomness = errors.New("no randomness")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errNoRandomness }

func TestChosen(t *testing.T) {
	k, err := authn.Chosen("correct-horse-battery")
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Prefix) != 12 || strings.Contains(k.Token, k.Prefix) || strings.HasPrefix(k.Hash, k.Prefix) || k.Hash != authn.Hash(k.Token) {
		t.Errorf("key %#v", k)
	}
	own := newKey(t)
	if same, err := authn.Chosen(own.Token); err != nil || same != own {
		t.Errorf("a key of our own became %#v, %v", same, err)
	}
	for _, token := range []string{"", "short", "has spaces in between", "tab\tand more of it", "größer-als-ascii-16", strings.Repeat("x", 256)} {
		if _, err := authn.Chosen(token); err == nil || token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("%q: error %v", token, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(newKey(f).Token)
	f.Add("sk-strata-")
	f.Add("sk-strata-abcdefghijkl-" + strings.Repeat("0", 43))
	f.Add("sk-strata-abcdefghijk-" + strings.Repeat("-", 44))
	f.Fuzz(func(t *testing.T, token string) {
		k, err := authn.Parse(token)
		if err != nil {
			if k != (authn.Key{}) {
				t.Fatalf("an error and a key: %#v", k)
			}
			return
		}
		if k.Token != token || k.Hash != authn.Hash(token) || token != "sk-strata-"+k.Prefix+"-"+token[len(token)-43:] {
			t.Fatalf("%q was read as %#v", token, k)
		}
		if c, err := authn.Chosen(token); err != nil || c != k {
			t.Fatalf("Chosen disagrees with Parse: %#v, %v", c, err)
		}
	})
}
