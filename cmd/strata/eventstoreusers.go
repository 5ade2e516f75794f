package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"strata/internal/eventstore"
	"strata/internal/eventstore/access"
)

// Environment variables with the passwords of the two users that a secured event
// store always has.
const (
	adminPasswordEnv = "STRATA_EVENTSTORE_ADMIN_PASSWORD"
	opsPasswordEnv   = "STRATA_EVENTSTORE_OPS_PASSWORD"
)

// secure gives a server TLS and users, if a certificate is named.
func (f *eventStoreFlags) secure(o *eventstore.Options) error {
	if f.cert == "" && f.key == "" {
		if f.users != "" {
			return errors.New("users need TLS: clients send no password without; name --tls-cert and --tls-key")
		}
		return nil
	}
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	o.Users = true
	return nil
}

// setUp sets up the users that a secured server begins with.
func (f *eventStoreFlags) setUp(ctx context.Context, c *access.Control, out io.Writer) error {
	if c == nil {
		return nil
	}
	for _, u := range []struct{ name, group, env string }{
		{access.Admin, access.Admins, adminPasswordEnv},
		{access.Operator, access.Operators, opsPasswordEnv},
	} {
		if err := ensureUser(ctx, c, u.name, u.group, os.Getenv(u.env), out); err != nil {
			return err
		}
	}
	return f.setUsers(ctx, c)
}

// ensureUser gives a user the password from the environment. One that has none
// there and does not exist yet gets a random one, which is shown once.
func ensureUser(ctx context.Context, c *access.Control, name, group, password string, out io.Writer) error {
	if password == "" {
		if there, err := c.Exists(ctx, name); err != nil || there {
			return err
		}
		password = rand.Text()
		if _, err := fmt.Fprintf(out, "User %s has the password %s (it is shown only once)\n", name, password); err != nil {
			return err
		}
	}
	return c.Set(ctx, name, password, group)
}

// setUsers sets up the users of --users. Errors name lines, never passwords.
func (f *eventStoreFlags) setUsers(ctx context.Context, c *access.Control) (err error) {
	if f.users == "" {
		return nil
	}
	file, err := os.Open(f.users)
	if err != nil {
		return fmt.Errorf("--users: %w", err)
	}
	defer file.Close() // only read
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, ":")
		i := strings.LastIndexByte(rest, ':')
		if i < 0 {
			return fmt.Errorf("--users: line %d is not name:password:group,group", n)
		}
		var groups []string
		if rest[i+1:] != "" {
			groups = strings.Split(rest[i+1:], ",")
		}
		if err := c.Set(ctx, name, rest[:i], groups...); err != nil {
			return fmt.Errorf("--users: line %d: %w", n, err)
		}
	}
	return lines.Err()
}
