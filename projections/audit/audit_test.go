package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/projections/audit"
)

func signer(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// chainOf makes a chain of n entries; text draws what clients choose.
func chainOf(n int, text func(i int) string) []audit.Entry {
	var prev audit.Hash
	out := make([]audit.Entry, n)
	for i := range out {
		out[i] = audit.Entry{ID: fmt.Sprintf("evt_%d", i), Type: "app.created.v1", Stream: domain.StreamID("app-" + text(i)), Revision: domain.Revision(i),
			Position: domain.Position(i + 1), Workspace: "ws_1", Organization: "org_1", Actor: "user_" + text(i), RequestID: text(i),
			OccurredAt: time.UnixMicro(int64(1_700_000_000_000_000 + i)).UTC(), Content: audit.ContentHash([]byte("{}"), []byte(text(i))), Prev: prev}
		out[i].Hash = out[i].Digest()
		prev = out[i].Hash
	}
	return out
}

func write(t rapid.TB, format audit.Format, filters map[string]string, entries []audit.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := audit.NewWriter(&b, format, audit.Scope{Chain: "ws_1", Filters: filters, Exported: time.UnixMicro(1_800_000_000_000_000).UTC()}, signer(1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		if err := w.Write(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func number(i int) string { return fmt.Sprint("x", i) }

func TestFiles(t *testing.T) {
	key := signer(1).Public().(ed25519.PublicKey)
	for _, format := range []audit.Format{audit.JSONL, audit.CSV} {
		for _, n := range []int{0, 1, 5} {
			file := write(t, format, nil, chainOf(n, number))
			proof, err := audit.Check(bytes.NewReader(file), key)
			if err != nil || proof.Count != n || !proof.Contiguous {
				t.Errorf("%s of %d: %+v, %v in\n%s", format, n, proof, err, file)
			}
		}
		entries := chainOf(5, number)
		some := write(t, format, map[string]string{"actorId": "user_x"}, []audit.Entry{entries[0], entries[3]})
		if proof, err := audit.Check(bytes.NewReader(some), nil); err != nil || proof.Contiguous {
			t.Errorf("%s: a selection: %+v, %v", format, proof, err)
		}
		lines := bytes.SplitAfter(write(t, format, nil, entries), []byte("\n"))
		fault := func(what, reason string, lines ...[]byte) {
			t.Helper()
			_, err := audit.Check(bytes.NewReader(bytes.Join(lines, nil)), key)
			f, ok := errors.AsType[*audit.Fault](err)
			if !ok || !strings.Contains(f.Reason, reason) {
				t.Errorf("%s: %s: %v", format, what, err)
			}
		}
		head := 0
		if format == audit.CSV {
			head = 1
		}
		a, b, rest := lines[head], lines[head+1], lines[head+2:]
		first := lines[:head]
		join := func(parts ...[]byte) [][]byte { return append(append([][]byte{}, first...), parts...) }
		fault("a line removed", "does not follow", append(join(a), rest...)...)
		fault("lines swapped", "does not follow", append(join(b, a), rest...)...)
		fault("the first line removed", "not those that were signed", append(join(b), rest...)...)
		fault("the end cut", "no proof", join(a, b)...)
		fault("the last entry removed", "not those that were signed", append(join(a, b, rest[0], rest[1]), rest[3:]...)...)
		fault("something behind the proof", "follows the proof", append(append(join(a, b), rest...), a)...)
		fault("an actor changed", "altered", append(join(bytes.ReplaceAll(a, []byte("user_x0"), []byte("user_xx"))), append([][]byte{b}, rest...)...)...)
		fault("a position changed", "not those that were signed", append(join(a, bytes.Replace(b, position(format, 2), position(format, 7), 1)), rest...)...)
		fault("what is said twice", "contradict", append(join(bytes.Replace(a, []byte("app.created"), []byte("app.deleted"), 1), b), rest...)...)
		proof := rest[len(rest)-2]
		changed := bytes.Replace(proof, []byte("2027-"), []byte("2028-"), 1)
		if bytes.Equal(changed, proof) {
			t.Fatalf("nothing was changed in %s", proof)
		}
		fault("the proof changed", "signature", append(join(a, b, rest[0], rest[1], rest[2]), changed)...)
		if _, err := audit.Check(bytes.NewReader(bytes.Join(lines, nil)), signer(2).Public().(ed25519.PublicKey)); err == nil {
			t.Error("another key is taken for the right one")
		}
	}
	if _, err := audit.Check(strings.NewReader(""), nil); err == nil {
		t.Error("an empty file passes")
	}
}

// position is how a position stands in a line.
func position(f audit.Format, n int) []byte {
	if f == audit.CSV {
		return fmt.Appendf(nil, ",%d,success", n)
	}
	return fmt.Appendf(nil, `"position":%d`, n)
}

// Whatever clients choose as names, files come back, and no cell of a CSV file
// begins as a formula does.
func TestPropertyFilesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"=1+1", "+1", "-1", "@x", "\tx", "\r\n", "a\r\nb", "'", "'=x", "'\"x\"", "\"", "", "a,b", "a\nb", "=\"x\"", "#proof"})), 1, 5).Draw(t, "texts")
		entries := chainOf(len(texts), func(i int) string { return strings.ToValidUTF8(texts[i], "?") })
		for _, format := range []audit.Format{audit.JSONL, audit.CSV} {
			file := write(t, format, nil, entries)
			proof, err := audit.Check(bytes.NewReader(file), nil)
			if err != nil || proof.Count != len(entries) || proof.Last != entries[len(entries)-1].Hash {
				t.Fatalf("%s: %v in\n%s", format, err, file)
			}
			if format == audit.JSONL {
				continue
			}
			cells := csv.NewReader(bytes.NewReader(file))
			cells.FieldsPerRecord = -1
			rows, err := cells.ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
						t.Fatalf("the cell %q is a formula", cell)
					}
				}
			}
		}
	})
}

// Two different entries never have one digest, wherever their fields end.
func TestPropertyDigestCoversEveryField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom([]string{"", "a", "b", "1:a,", ",", "aa"})
		draw := func(name string) audit.Entry {
			return audit.Entry{ID: field.Draw(t, name), Type: field.Draw(t, name), Stream: domain.StreamID(field.Draw(t, name)),
				Revision: domain.Revision(rapid.IntRange(0, 2).Draw(t, name)), Workspace: field.Draw(t, name), Organization: field.Draw(t, name),
				Actor: field.Draw(t, name), RequestID: field.Draw(t, name), CorrelationID: field.Draw(t, name),
				OccurredAt: time.UnixMicro(rapid.Int64Range(0, 2).Draw(t, name)).UTC()}
		}
		if a, b := draw("a"), draw("b"); (a == b) != (a.Digest() == b.Digest()) {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add(string(write(f, audit.JSONL, nil, chainOf(2, number))))
	f.Add(string(write(f, audit.CSV, nil, chainOf(2, number))))
	f.Add("id,timestamp\n")
	f.Fuzz(func(t *testing.T, file string) {
		proof, err := audit.Check(strings.NewReader(file), nil)
		if (proof == nil) && err == nil {
			t.Fatal("neither proof nor fault")
		}
	})
}
