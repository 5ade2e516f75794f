package streams

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
)

// texts are what metadata may hold, the plain ones and those that are not.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[a-z_0-9]{0,8}`), rapid.String(), rapid.SampledFrom([]string{"", `"`, `\`, "<b>", "é", "\x7f", "\xff"}))
}

func times() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		at := time.Unix(rapid.Int64Range(-3e10, 3e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		if rapid.Bool().Draw(t, "elsewhere") {
			return at.In(time.FixedZone("", rapid.IntRange(-12, 12).Draw(t, "zone")*3600))
		}
		return at.UTC()
	})
}

// TestMetadataIsAsJSONWrites also notices a field that the struct has and the
// list of fields lacks.
func TestMetadataIsAsJSONWrites(t *testing.T) {
	c := newMetadataCodec()
	rapid.Check(t, func(t *rapid.T) {
		var m domain.Metadata
		for v, i := reflect.ValueOf(&m).Elem(), 0; i < v.NumField(); i++ {
			if rapid.Bool().Draw(t, "empty") {
				continue
			}
			switch p := v.Field(i).Addr().Interface().(type) {
			case *time.Time:
				*p = times().Draw(t, "time")
			case *string:
				*p = texts().Draw(t, "text")
			default:
				t.Fatalf("metadata has a field of type %T", p)
			}
		}
		want, wantErr := json.Marshal(m)
		got, err := c.encode(m)
		if (err == nil) != (wantErr == nil) || string(got) != string(want) {
			t.Fatalf("got  %s, %v\nwant %s, %v", got, err, want, wantErr)
		}
		checkMetadata(t, want)
	})
}

func checkMetadata(t rapid.TB, data []byte) {
	var want domain.Metadata
	wantErr := json.Unmarshal(data, &want)
	got, err := newMetadataCodec().decode(data)
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q\ngot  %+v, %v\nwant %+v, %v", data, got, err, want, wantErr)
	}
}

func TestPlainMetadataTakesTheShortWay(t *testing.T) {
	c := newMetadataCodec()
	m := domain.Metadata{CorrelationID: "req_1", Actor: "key_1", Workspace: "ws_1", OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), RequestID: "req_1"}
	text, err := c.encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := c.decodePlain(string(text)); !ok || got != m {
		t.Errorf("%s is read as %+v, %v", text, got, ok)
	}
}

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{`{}`, `{"actor":"a"}`, `{"actor":"a","subject":"b"}`, `{"subject":"b","actor":"a"}`, `{"actor":"a","actor":"b"}`,
		`{"occurred_at":"2026-01-02T03:04:05.000006Z"}`, `{"occurred_at":"2026-01-02T03:04:05+02:00"}`, `{"occurred_at":"x"}`, `{ "actor":"a"}`,
		`{"Actor":"a"}`, `{"actor":"a",}`, `{,"actor":"a"}`, `{"actor":"a"}}`, `{"actor":1}`, `null`, ``, `{"actor":"\u0041"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkMetadata(t, data) })
}

func BenchmarkMetadata(b *testing.B) {
	c := newMetadataCodec()
	m := domain.Metadata{CorrelationID: "req_01jk2m3n4p5q6r7s8t9v0w1x2y", Actor: "key_01jk2m3n4p5q6r7s8t9v0w1x2y", Organization: "org_01jk2m3n4p5q6r7s8t9v0w1x2y",
		Workspace: "ws_01jk2m3n4p5q6r7s8t9v0w1x2y", OccurredAt: time.Now().UTC().Truncate(time.Microsecond), RequestID: "req_01jk2m3n4p5q6r7s8t9v0w1x2y"}
	text, err := c.encode(m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.encode(m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode/json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.decode(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode/json", func(b *testing.B) {
		for b.Loop() {
			var m domain.Metadata
			if err := json.Unmarshal(text, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
