package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// Groups with rights of their own.
const (
	Admins    = "$admins" // may do everything
	Operators = "$ops"    // may also use system streams, but those of users and settings
	Everybody = "$all"    // in an ACL: every user
)

// Names of the users that there always are.
const (
	Admin    = "admin"
	Operator = "ops"
)

// Principal is who makes a call. The zero value is somebody who gave no name.
type Principal struct {
	Name   string
	Groups []string
}

// Known tells whether the caller gave a name, and proved it.
func (p Principal) Known() bool { return p.Name != "" }

// In tells whether the caller belongs to a group.
func (p Principal) In(group string) bool { return slices.Contains(p.Groups, group) }

// ErrWrongPassword: there is no such user, or the password is not theirs.
var ErrWrongPassword = errors.New("user or password is wrong")

// userType is the type of the events that describe users.
const userType = "$User"

// userRecord is what is kept of a user.
type userRecord struct {
	LoginName string   `json:"loginName"`
	FullName  string   `json:"fullName,omitempty"`
	Hash      string   `json:"hash"`
	Disabled  bool     `json:"disabled"`
	Groups    []string `json:"groups"`
}

// Control decides over one log. It is safe for concurrent use.
type Control struct {
	log        *eslog.Log
	iterations int
	key        []byte // of digests
	hashing    chan struct{}

	mu       sync.Mutex
	proven   map[string]proof
	settings settings
}

// proof is a password that was found to be right.
type proof struct {
	hash   string
	digest [sha256.Size]byte
}

// maxProven bounds the memory of passwords that were checked.
const maxProven = 10_000

// New makes the control over a log.
func New(log *eslog.Log) (*Control, error) {
	c := &Control{log: log, iterations: hashIterations, key: make([]byte, 32), hashing: make(chan struct{}, 2), proven: map[string]proof{}}
	if _, err := rand.Read(c.key); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return c, nil
}

func userStream(name string) domain.StreamID { return domain.StreamID("$user-" + name) }

// user reads a user; nil when there is none.
func (c *Control) user(ctx context.Context, name string) (*userRecord, error) {
	for r, err := range c.log.ReadStream(ctx, userStream(name), eslog.ReadStream{From: streams.End, Backwards: true, Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) || errors.Is(err, streams.ErrTombstoned) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read user %s: %w", name, err)
		}
		u := &userRecord{}
		if err := json.Unmarshal(r.Data, u); err != nil {
			return nil, fmt.Errorf("read user %s: %w", name, err)
		}
		return u, nil
	}
	return nil, nil
}

// Exists tells whether there is a user of a name.
func (c *Control) Exists(ctx context.Context, name string) (bool, error) {
	u, err := c.user(ctx, name)
	return u != nil, err
}

// Set makes a user, or gives an existing one a password and groups. Nothing is
// written when they are those already.
func (c *Control) Set(ctx context.Context, name, password string, groups ...string) error {
	if err := checkUser(name, password, groups); err != nil {
		return err
	}
	u, err := c.user(ctx, name)
	if err != nil {
		return err
	}
	if u != nil && !u.Disabled && slices.Equal(u.Groups, groups) {
		if same, err := checkPassword(password, u.Hash); err == nil && same {
			return nil
		}
	}
	record := userRecord{LoginName: name, Groups: groups}
	if record.Hash, err = hashPassword(password, c.iterations); err != nil {
		return err
	}
	data, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode user %s: %w", name, err)
	}
	_, err = c.log.Append(ctx, userStream(name), streams.Any, []eslog.Event{
		{ID: domain.NewEventID(), Type: userType, ContentType: eslog.ContentJSON, Data: data},
	})
	if err != nil {
		return fmt.Errorf("write user %s: %w", name, err)
	}
	return nil
}

// minPassword is the shortest password that is taken.
const minPassword = 8

func checkUser(name, password string, groups []string) error {
	switch {
	case name == "" || strings.ContainsAny(name, ":$ \t\r\n"):
		return fmt.Errorf("%q cannot be the name of a user", name)
	case len(password) < minPassword:
		return fmt.Errorf("the password of user %s has less than %d characters", name, minPassword)
	}
	for _, g := range groups {
		if g == "" || g == Everybody || strings.HasPrefix(g, "$") && g != Admins && g != Operators {
			return fmt.Errorf("%q cannot be a group of user %s", g, name)
		}
	}
	return nil
}

// Authenticate checks a name and a password. Its error is ErrWrongPassword when
// they are wrong.
func (c *Control) Authenticate(ctx context.Context, name, password string) (Principal, error) {
	if name == "" || len(name) > maxName || len(password) > maxName {
		return Principal{}, ErrWrongPassword
	}
	u, err := c.user(ctx, name)
	if err != nil {
		return Principal{}, err
	}
	if u == nil || u.Disabled {
		return Principal{}, ErrWrongPassword
	}
	right, err := c.proves(ctx, u, password)
	if err != nil {
		return Principal{}, err
	}
	if !right {
		return Principal{}, ErrWrongPassword
	}
	return Principal{Name: name, Groups: u.Groups}, nil
}

const maxName = 256

// proves tells whether a password is a user's, from memory or by hashing it.
func (c *Control) proves(ctx context.Context, u *userRecord, password string) (bool, error) {
	given := digest(c.key, u.Hash, password)
	c.mu.Lock()
	known := c.proven[u.LoginName] == proof{hash: u.Hash, digest: given}
	c.mu.Unlock()
	if known {
		return true, nil
	}
	select { // wrong passwords must not take all processors
	case c.hashing <- struct{}{}:
		defer func() { <-c.hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	right, err := checkPassword(password, u.Hash)
	if err != nil || !right {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.proven) >= maxProven {
		clear(c.proven)
	}
	c.proven[u.LoginName] = proof{hash: u.Hash, digest: given}
	return true, nil
}
