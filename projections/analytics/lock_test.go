package analytics

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/google/uuid"

	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
)

// lockServer does what it is told about the lock, but loses some answers.
type lockServer struct {
	driver.Conn

	mu      sync.Mutex
	tables  map[string]*lockTable
	created int
	lost    int                  // answers to statements that will get lost from now on
	renewed int                  // how often the lock was renewed
	delay   func() time.Duration // of a statement's way, and of its answer's; nil: none
}

type lockTable struct {
	comment, id string
	touched     time.Time
}

func newLockServer() *lockServer { return &lockServer{tables: map[string]*lockTable{}} }

// holder is whose the lock is; empty: nobody's.
func (f *lockServer) holder() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if lock := f.tables["schema_lock"]; lock != nil {
		return lock.comment
	}
	return ""
}

func (f *lockServer) travel(ctx context.Context) error {
	if f.delay == nil {
		return nil
	}
	select {
	case <-time.After(f.delay()):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *lockServer) Exec(ctx context.Context, statement string, _ ...any) error {
	if err := f.travel(ctx); err != nil {
		return err
	}
	err := f.run(statement)
	return cmp.Or(f.travel(ctx), err)
}

var lockStatement = regexp.MustCompile("^(CREATE|ALTER|RENAME|DROP) TABLE (?:IF EXISTS )?`?([^ `]+)`?(?:.* COMMENT '(.*)'| TO `(.*)`)?$")

func (f *lockServer) run(statement string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := lockStatement.FindStringSubmatch(statement)
	table := f.tables[m[2]]
	switch verb := m[1]; {
	case verb == "DROP":
		delete(f.tables, m[2])
	case verb == "CREATE" && table != nil, verb == "RENAME" && table != nil && f.tables[m[4]] != nil:
		return &proto.Exception{Code: tableExists}
	case verb == "CREATE":
		f.created++
		f.tables[m[2]] = &lockTable{m[3], fmt.Sprint(f.created), time.Now()}
	case table == nil:
		return &proto.Exception{Code: tableMissing}
	case verb == "RENAME":
		delete(f.tables, m[2])
		f.tables[m[4]] = table
	default:
		f.renewed++
		table.comment, table.touched = m[3], time.Now()
	}
	if f.lost > 0 {
		f.lost--
		return io.EOF
	}
	return nil
}

func (f *lockServer) QueryRow(ctx context.Context, _ string, args ...any) driver.Row {
	if err := f.travel(ctx); err != nil {
		return lockRow{err: err}
	}
	row := f.look(args[0].(driver.NamedValue))
	row.err = f.travel(ctx)
	return row
}

func (f *lockServer) look(asked driver.NamedValue) (row lockRow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := func(table *lockTable) bool {
		return time.Since(table.touched) > time.Duration(asked.Value.(uint32))*time.Second
	}
	if asked.Name == "age" {
		names := []string{}
		for name, table := range f.tables {
			if name != "schema_lock" && old(table) {
				names = append(names, name)
			}
		}
		row.values = []any{names}
		return row
	}
	row.values = []any{uint64(0), ""}
	if lock := f.tables["schema_lock"]; lock != nil && (asked.Value == lock.comment || asked.Name == "lease" && old(lock)) {
		row.values = []any{uint64(1), lock.id}
	}
	return row
}

type lockRow struct {
	err    error
	values []any
}

func (r lockRow) Err() error           { return r.err }
func (r lockRow) ScanStruct(any) error { return r.err }
func (r lockRow) Scan(to ...any) error {
	for i, v := range r.values {
		reflect.ValueOf(to[i]).Elem().Set(reflect.ValueOf(v))
	}
	return r.err
}

// However many find the lock of a dead holder, however late their statements
// arrive and whatever answers get lost: one has it at a time, and all come to it.
func TestLockHasOneHolder(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) { contend(t, seed) })
	}
}

func contend(t *testing.T, seed uint64) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	below := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
	server := newLockServer()
	server.delay = func() time.Duration {
		if below(20) == 0 {
			server.mu.Lock()
			server.lost++
			server.mu.Unlock()
		}
		return time.Duration(below(1000)) * time.Millisecond
	}
	var holders atomic.Int32
	var contenders sync.WaitGroup
	for range 5 {
		contenders.Go(func() {
			for range 6 {
				if k := (schemaLock{conn: server, token: uuid.NewString()}); below(3) == 0 { // takes it, and dies
					if _, err := k.take(t.Context()); err != nil {
						t.Error(seed, err)
					}
					continue
				}
				release, err := lockSchema(t.Context(), server, layout{})
				if err != nil {
					t.Error(seed, err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("seed %d: %d have the lock", seed, n)
				}
				time.Sleep(time.Duration(below(30_000)) * time.Millisecond)
				holders.Add(-1)
				release()
			}
		})
	}
	contenders.Wait()
	server.delay = nil
	time.Sleep(lockMemory + lockLease)
	release, err := lockSchema(t.Context(), server, layout{})
	if err != nil {
		t.Fatal(seed, err)
	}
	if release(); len(server.tables) != 0 {
		t.Errorf("seed %d: %d tables are left", seed, len(server.tables))
	}
}

// A lost answer leaves no lock behind that nobody has: neither when it is taken,
// whether or not the caller still wants it, nor when it is given back.
func TestLockOutlivesLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newLockServer()
		server.lost = 1
		release, err := lockSchema(t.Context(), server, layout{})
		if err != nil || server.holder() == "" {
			t.Fatalf("the lock is not taken: %v", err)
		}
		held := server.holder()
		waiting, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := lockSchema(waiting, server, layout{}); err == nil || server.holder() != held {
			t.Errorf("two have the lock: %v", err)
		}
		server.lost = 1
		release()
		if server.holder() != "" {
			t.Error("the lock was not given back")
		}
	})
}

// A lock is renewed as long as it is held, and no longer.
func TestLockIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newLockServer()
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
		if server.renewed != int(lockLease/lockBeat) || server.holder() != "" {
			t.Errorf("renewed %d times, and it is %q", server.renewed, server.holder())
		}
	})
}

// Whoever lost the answer to its giving back leaves the next holder's lock alone.
func TestLockOfAnotherIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newLockServer()
		release, err := lockSchema(t.Context(), server, layout{})
		if err != nil {
			t.Fatal(err)
		}
		server.lost = 1
		time.AfterFunc(lockInterval/2, func() {
			if taken, err := (schemaLock{conn: server, token: "another"}).take(t.Context()); err != nil || !taken {
				t.Errorf("taken: %v, %v", taken, err)
			}
		})
		release()
		if server.holder() != "another" {
			t.Errorf("the lock is %q", server.holder())
		}
	})
}

// The engine keeps whose a lock is, and ends each lock once.
func TestLockBearsItsHolder(t *testing.T) {
	conn := clickhousetest.Open(t, clickhouse.Config{}).Conn()
	k := schemaLock{conn: conn, token: "mine"}
	for _, want := range []bool{true, false} {
		if taken, err := k.take(t.Context()); err != nil || taken != want {
			t.Fatalf("taken: %v, %v", taken, err)
		}
	}
	ours, first, err := k.ours(t.Context())
	if err != nil || !ours {
		t.Errorf("it is not ours: %v", err)
	}
	if ours, _, err := (schemaLock{conn: conn, token: "other"}).ours(t.Context()); err != nil || ours {
		t.Errorf("it is another's: %v", err)
	}
	if !k.renew(t.Context(), time.Now()) {
		t.Error("it cannot be renewed")
	}
	if k.renew(t.Context(), time.Now().Add(-lockCertain)) {
		t.Error("it is renewed when it may be another's")
	}
	k.release(t.Context(), false)
	if taken, err := k.take(t.Context()); err != nil || !taken {
		t.Fatalf("it was not given back: %v", err)
	}
	if err := k.retire(t.Context(), first); err != nil { // as one would who saw the first
		t.Error(err)
	}
	ours, second, err := k.ours(t.Context())
	if err != nil || !ours || second == first {
		t.Errorf("the second, %s, ended with the first, %s: %v", second, first, err)
	}
	if err := conn.Exec(t.Context(), "ALTER TABLE "+retired(first)+" MODIFY COMMENT ''"); err != nil {
		t.Errorf("the first is forgotten: %v", err)
	}
	k.release(t.Context(), true)
	if err := conn.Exec(t.Context(), "ALTER TABLE "+retired(second)+" MODIFY COMMENT ''"); err == nil {
		t.Error("the second is remembered")
	}
	k.clean(t.Context()) // too early for anything
	if err := conn.Exec(t.Context(), "DROP TABLE "+retired(first)); err != nil {
		t.Error(err)
	}
}
