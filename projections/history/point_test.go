package history_test

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/projections/history"
)

func TestParsePoint(t *testing.T) {
	when := time.Date(2024, 1, 15, 10, 30, 0, 123456000, time.UTC)
	for text, want := range map[string]history.Point{
		"0":                                {},
		"7":                                {Revision: 7},
		"007":                              {Revision: 7},
		"2024-01-15T10:30:00.123456Z":      {Time: when},
		"2024-01-15T12:30:00.123456+02:00": {Time: when},
	} {
		if got, err := history.ParsePoint("at", text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1.5", " 1", "0x1", "latest", "2024-01-15", "2024-01-15T10:30:00", "99999999999999999999",
		"4611686018427387903", "2024-13-15T10:30:00Z", "0001-01-01T00:00:00Z", "1e3", "٣", "2024-01-15T12:30:00 02:00"} {
		_, err := history.ParsePoint("from", text)
		invalid(t, text, err, "from")
	}
}

func invalid(t rapid.TB, what string, err error, field string) {
	t.Helper()
	e, ok := err.(*domain.Error)
	if !ok || e.Code != domain.CodeValidation || len(e.Fields) != 1 || e.Fields[0].Field != field {
		t.Errorf("%q: %v, want a VALIDATION_ERROR of %s", what, err, field)
	}
}

func TestPropertyPointsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		revision := rapid.Int64Range(0, 1<<40).Draw(t, "revision")
		if p, err := history.ParsePoint("at", strconv.FormatInt(revision, 10)); err != nil || p != (history.Point{Revision: domain.Revision(revision)}) {
			t.Fatalf("%d is %v, %v", revision, p, err)
		}
		at := time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "time")).UTC()
		if p, err := history.ParsePoint("at", domain.FormatTime(at)); err != nil || !p.Time.Equal(at) {
			t.Fatalf("%s is %v, %v", at, p, err)
		}
	})
}

func FuzzParsePoint(f *testing.F) {
	for _, s := range []string{"0", "12", "-1", "2024-01-15T10:30:00Z", "2024-01-15T10:30:00.5+02:00", "9223372036854775807", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := history.ParsePoint("at", text)
		if err != nil {
			invalid(t, text, err, "at")
			return
		}
		if p.Revision < 0 || p.Revision != 0 && !p.Time.IsZero() {
			t.Fatalf("%q is %v", text, p)
		}
	})
}
