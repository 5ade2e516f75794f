package secrets_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"strata/internal/secrets"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, secrets.KeySize) }

func ring(t testing.TB, keys ...[]byte) *secrets.Sealer {
	t.Helper()
	r, err := secrets.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealedTextOpensAgain(t *testing.T) {
	r := ring(t, key(1))
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.String().Draw(t, "plain")
		sealed, err := r.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		if plain != "" && (!secrets.Sealed(sealed) || len(plain) > 8 && strings.Contains(sealed, plain)) {
			t.Fatalf("%q is sealed as %q", plain, sealed)
		}
		if got, err := r.Open(sealed); err != nil || got != plain {
			t.Fatalf("opened as %q: %v", got, err)
		}
	})
}

func TestSealingTwiceReadsDifferently(t *testing.T) {
	r := ring(t, key(1))
	a, errA := r.Seal("sk-1")
	b, errB := r.Seal("sk-1")
	if a == b || errA != nil || errB != nil {
		t.Errorf("%q and %q (%v, %v)", a, b, errA, errB)
	}
}

func TestRotation(t *testing.T) {
	old := ring(t, key(1))
	sealed, err := old.Seal("sk-1")
	if err != nil {
		t.Fatal(err)
	}
	both := ring(t, key(2), key(1))
	if got, err := both.Open(sealed); err != nil || got != "sk-1" {
		t.Errorf("after the rotation: %q, %v", got, err)
	}
	again, err := both.Seal("sk-1")
	if err != nil || !strings.HasPrefix(again, "sealed:v1:"+secrets.KeyID(key(2))+":") {
		t.Errorf("sealed by another key than the first: %q, %v", again, err)
	}
	if _, err := ring(t, key(2)).Open(sealed); !errors.Is(err, secrets.ErrUnknownKey) {
		t.Errorf("without the old key: %v", err)
	}
}

func TestEveryChangeIsNoticed(t *testing.T) {
	r := ring(t, key(1), key(2))
	sealed, err := r.Seal("sk-1234567890")
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		b := []byte(sealed)
		b[i] ^= 1
		if got, err := r.Open(string(b)); err == nil {
			t.Errorf("byte %d changed: opened as %q", i, got)
		}
	}
	for n := 1; n < len(sealed); n++ {
		if got, err := r.Open(sealed[:n]); err == nil {
			t.Errorf("cut to %d bytes: opened as %q", n, got)
		}
	}
	moved := strings.Replace(sealed, secrets.KeyID(key(1)), secrets.KeyID(key(2)), 1)
	if _, err := r.Open(moved); !errors.Is(err, secrets.ErrDamaged) {
		t.Errorf("under another key's id: %v", err)
	}
	if _, err := r.Open("sk-plain"); !errors.Is(err, secrets.ErrNotSealed) {
		t.Errorf("a plain text: %v", err)
	}
}

func TestWrappedKeysOpenWithWhatTheyAreBoundTo(t *testing.T) {
	old := ring(t, key(1))
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		bound := rapid.SliceOf(rapid.Byte()).Draw(t, "bound")
		wrapped, err := old.Wrap(plain, bound)
		if err != nil {
			t.Fatal(err)
		}
		both, err := secrets.New(key(2), key(1))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := both.Unwrap(wrapped, bound); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("unwrapped as %x: %v", got, err)
		}
		if _, err := both.Unwrap(wrapped, append(bound, 1)); !errors.Is(err, secrets.ErrDamaged) {
			t.Fatalf("bound to something else: %v", err)
		}
		for n := range wrapped {
			if _, err := both.Unwrap(wrapped[:n], bound); err == nil {
				t.Fatalf("cut to %d bytes it opens", n)
			}
		}
	})
	wrapped, err := ring(t, key(2)).Wrap([]byte("x"), nil)
	if _, unknown := old.Unwrap(wrapped, nil); err != nil || !errors.Is(unknown, secrets.ErrUnknownKey) {
		t.Errorf("without the key: %v, %v", err, unknown)
	}
}

func TestKeyFileIsMadeOnceAndPrivate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "keys", "master.key")
	rings := make([]*secrets.Sealer, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			r, err := secrets.Load("", file)
			if err != nil {
				t.Error(err)
				return
			}
			rings[i] = r
		})
	}
	wg.Wait()
	for _, r := range rings[1:] {
		if r == nil || r.Current() != rings[0].Current() {
			t.Fatal("two starts at once made two keys")
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

func TestKeyFileOthersCanReadIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(file, []byte(hex.EncodeToString(key(1))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Load("", file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

func TestGivenKeys(t *testing.T) {
	std := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, secrets.KeySize))
	for name, given := range map[string]string{
		"base64":     std,
		"url base64": base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, secrets.KeySize)),
		"hex":        hex.EncodeToString(bytes.Repeat([]byte{0xfb}, secrets.KeySize)),
		"two":        std + ", " + hex.EncodeToString(key(1)),
	} {
		r, err := secrets.Load(given, "unused")
		if err != nil || r.Current() != secrets.KeyID(bytes.Repeat([]byte{0xfb}, secrets.KeySize)) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	for name, given := range map[string]string{"short": "c2hvcnQ=", "nonsense": "!!!", "only commas": ",,"} {
		if _, err := secrets.Load(given, "unused"); err == nil || strings.Contains(err.Error(), "c2hv") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFileMayHoldCommentsAndOldKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "master.key")
	text := "# new\n" + hex.EncodeToString(key(2)) + "\n# old\n" + hex.EncodeToString(key(1)) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := secrets.Load("", file)
	if err != nil || r.Current() != secrets.KeyID(key(2)) {
		t.Fatalf("%v, %v", r, err)
	}
	sealed, err := ring(t, key(1)).Seal("x")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Open(sealed); err != nil || got != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

// sealedHello was sealed with key(1). It is a constant, because the processes
// of a fuzzing run share their inputs.
const sealedHello = "sealed:v1:72cd6e84:g5NXFLpokW6OatXe1cWB_k_okDbqty4WFrrwtZh99gU1"

func FuzzOpen(f *testing.F) {
	r := ring(f, key(1))
	f.Add(sealedHello)
	f.Add("sealed:v1::")
	f.Add("sealed:v1:" + secrets.KeyID(key(1)) + ":AA")
	f.Add(sealedHello + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := r.Open(text)
		if text == sealedHello && (plain != "hello" || err != nil) {
			t.Errorf("opens as %q: %v", plain, err)
		}
		if err == nil && text != "" && text != sealedHello {
			t.Errorf("%q was not sealed here and opens as %q", text, plain)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	r := ring(b, key(1))
	sealed, err := r.Seal("sk-0123456789abcdef0123456789abcdef")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := r.Open(sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDerive(t *testing.T) {
	derive := func(key byte, purpose string) string {
		s, err := secrets.New(bytes.Repeat([]byte{key}, secrets.KeySize), bytes.Repeat([]byte{9}, secrets.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Derive(purpose)
		if err != nil || len(out) != secrets.KeySize {
			t.Fatal(out, err)
		}
		return string(out)
	}
	if first, again := derive(1, "a"), derive(1, "a"); first != again {
		t.Error("the same key gives another each time")
	}
	if derive(1, "a") == derive(1, "b") || derive(1, "a") == derive(2, "a") || derive(1, "a") == strings.Repeat("\x01", secrets.KeySize) {
		t.Error("keys for different purposes, or of different masters, are the same")
	}
}
