package analytics

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
)

// forgetful is a server that does what it is told, but loses some answers.
type forgetful struct {
	driver.Conn

	mu      sync.Mutex
	lost    int    // answers to statements that will get lost from now on
	renewed int    // how often the lock was renewed
	comment string // of the lock's table; empty: there is none
}

func (f *forgetful) Exec(_ context.Context, statement string, _ ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case strings.HasPrefix(statement, "ALTER"):
		f.renewed++
		return nil
	case strings.HasPrefix(statement, "DROP"):
		f.comment = ""
	case f.comment != "":
		return &proto.Exception{Code: tableExists}
	default:
		_, f.comment, _ = strings.Cut(strings.TrimSuffix(statement, "'"), "COMMENT '")
	}
	if f.lost > 0 {
		f.lost--
		return io.EOF
	}
	return nil
}

func (f *forgetful) QueryRow(_ context.Context, _ string, args ...any) driver.Row {
	f.mu.Lock()
	defer f.mu.Unlock()
	if value, ok := args[0].(driver.NamedValue); ok && value.Name == "token" && value.Value == f.comment {
		return count(1)
	}
	return count(0)
}

// count is a row with a number.
type count uint64

func (c count) Err() error           { return nil }
func (c count) ScanStruct(any) error { return nil }
func (c count) Scan(to ...any) error { *to[0].(*uint64) = uint64(c); return nil }

// A lost answer leaves no lock behind that nobody has: neither when it is taken,
// whether or not the caller still wants it, nor when it is given back.
func TestLockOutlivesLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &forgetful{lost: 1}
		release, err := lockSchema(t.Context(), server, layout{})
		if err != nil || server.comment == "" {
			t.Fatalf("the lock is not taken: %v", err)
		}
		held := server.comment
		waiting, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := lockSchema(waiting, server, layout{}); err == nil || server.comment != held {
			t.Errorf("two have the lock: %v", err)
		}
		server.lost = 1
		release()
		if server.comment != "" {
			t.Error("the lock was not given back")
		}
	})
}

// A lock is renewed as long as it is held, and no longer.
func TestLockIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &forgetful{}
		release, err := lockSchema(t.Context(), server, layout{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(lockLease)
		release()
		if server.renewed != int(lockLease/lockBeat) {
			t.Errorf("renewed %d times in %s", server.renewed, lockLease)
		}
		time.Sleep(lockLease)
		if server.renewed != int(lockLease/lockBeat) || server.comment != "" {
			t.Errorf("renewed %d times, and it is %q", server.renewed, server.comment)
		}
	})
}

// Whoever lost the answer to its giving back leaves the next holder's lock alone.
func TestLockOfAnotherIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &forgetful{}
		release, err := lockSchema(t.Context(), server, layout{})
		if err != nil {
			t.Fatal(err)
		}
		server.lost = 1
		time.AfterFunc(lockInterval/2, func() {
			server.mu.Lock()
			defer server.mu.Unlock()
			server.comment = "another"
		})
		release()
		if server.comment != "another" {
			t.Errorf("the lock is %q", server.comment)
		}
	})
}

// The engine keeps whose a lock is.
func TestLockBearsItsHolder(t *testing.T) {
	conn := clickhousetest.Open(t, clickhouse.Config{}).Conn()
	k := schemaLock{conn: conn, token: "mine"}
	for _, want := range []bool{true, false} {
		if taken, err := k.take(t.Context()); err != nil || taken != want {
			t.Fatalf("taken: %v, %v", taken, err)
		}
	}
	if ours, err := k.ours(t.Context()); err != nil || !ours {
		t.Errorf("it is not ours: %v", err)
	}
	if ours, err := (schemaLock{conn: conn, token: "other"}).ours(t.Context()); err != nil || ours {
		t.Errorf("it is another's: %v", err)
	}
	if err := conn.Exec(t.Context(), "ALTER TABLE schema_lock MODIFY COMMENT 'mine'"); err != nil {
		t.Errorf("it cannot be renewed: %v", err)
	}
	k.release(t.Context())
	if taken, err := k.take(t.Context()); err != nil || !taken {
		t.Errorf("it was not given back: %v", err)
	}
}
