package config

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEverySettingIsComplete(t *testing.T) {
	c := Default()
	paths, envs := map[string]bool{}, map[string]bool{}
	for _, s := range settingsOf(&c) {
		if paths[s.path] || envs[s.env] {
			t.Errorf("%s (%s) is declared twice", s.path, s.env)
		}
		paths[s.path], envs[s.env] = true, true
		if s.env == EnvPrefix || strings.HasSuffix(s.env, "_") || strings.HasSuffix(s.path, ".") {
			t.Errorf("%s lacks a name: %+v", s.path, s)
		}
		if !strings.HasSuffix(s.doc, ".") {
			t.Errorf("%s has no documentation that ends with a full stop", s.path)
		}
		before := s.value.Interface()
		if err := s.set(s.text()); err != nil {
			t.Errorf("%s does not read what it writes: %v", s.path, err)
		}
		if after := s.value.Interface(); !reflect.DeepEqual(before, after) {
			t.Errorf("%s reads %v as %v", s.path, before, after)
		}
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "4096": 4096, "64MiB": 64 << 20, "10mb": 10_000_000, "1 GiB": 1 << 30, " 7 B ": 7,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "9999999999GiB", "1TiB"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		if got, err := ParseBytes(b.String()); err != nil || got != b {
			t.Fatalf("%s is read as %d: %v", b, got, err)
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("server:\n  listen: a:1\n  cors_origins: [x, y]\n"))
	f.Add([]byte("a: &x {b: *x}\n"))
	f.Add([]byte("server: {rate_limits: {free: {key: 1}}}\n---\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Whatever a file holds, it is read or refused, never a panic.
		l := NewLoader(nil)
		for _, err := range l.applyYAML("f.yaml", text) {
			if err == nil {
				t.Error("a nil fault")
			}
		}
	})
}
