package main

import (
	"bytes"
	"strings"
	"testing"
)

// An engine that other machines can reach asks for a password.
func TestClickHouseServerIsNotOpen(t *testing.T) {
	for _, c := range []struct {
		args     []string
		password string
		want     string
	}{
		{args: []string{"--listen", "0.0.0.0:8123"}, want: enginePassword},
		{args: []string{"--listen", ":8123"}, want: enginePassword},
		{args: []string{"--listen", "example.com:8123"}, want: enginePassword},
		{args: []string{"--user", "me"}, want: enginePassword},
		{args: []string{"extra"}, want: `does not take "extra"`},
		{args: []string{"--memory-limit", "much"}, want: "not a size"},
		{args: []string{"--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.key"}, password: "secret", want: "certificate"},
		{args: []string{"--tls-client-ca", "/nowhere.pem"}, password: "secret", want: "certificate of the server"},
	} {
		t.Setenv(enginePassword, c.password)
		err := clickhouseServer(t.Context(), append(c.args, "--data-dir", t.TempDir()), new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}
