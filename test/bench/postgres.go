package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errNoPostgres: the programs are not installed.
var errNoPostgres = errors.New("PostgreSQL is not installed")

// postgresTable is the plainest table that could be an event log: it has no
// index beside its key, which favours PostgreSQL.
const postgresTable = `CREATE TABLE events (position bigserial PRIMARY KEY, id uuid NOT NULL, stream text NOT NULL,
	revision bigint NOT NULL, type text NOT NULL, workspace text NOT NULL, data bytea NOT NULL, meta bytea NOT NULL)`

// postgresInsert appends one event as large as those of the log's benchmark.
const postgresInsert = `\set revision random(1, 1000000)
INSERT INTO events (id, stream, revision, type, workspace, data, meta)
VALUES (gen_random_uuid(), 'ses_' || :client_id, :revision, 'session.turn_added.v1', 'ws_bench', decode('%s', 'hex'), decode('%s', 'hex'));
`

// postgres is a server of its own in a directory, reached by a socket in it.
type postgres struct {
	dir    string
	as     *syscall.Credential // nil: whoever runs the benchmark; PostgreSQL refuses root
	server *exec.Cmd
	log    bytes.Buffer
}

// startPostgres runs a server on an empty directory, with its own defaults but
// for the number of connections: every commit is synced.
func startPostgres(ctx context.Context) (*postgres, error) {
	for _, program := range []string{"initdb", "postgres", "psql", "pgbench"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoPostgres, err)
		}
	}
	dir, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return nil, err
	}
	p := &postgres{dir: dir}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *postgres) start(ctx context.Context) error {
	if os.Getuid() == 0 {
		if err := p.leaveRoot(); err != nil {
			return err
		}
	}
	data := filepath.Join(p.dir, "data")
	if _, err := p.run(ctx, "initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-instructions"); err != nil {
		return err
	}
	p.server = p.command(ctx, "postgres", "-D", data, "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=300", "-c", "fsync=on")
	p.server.Cancel = func() error { return p.server.Process.Signal(os.Interrupt) }
	p.server.Stdout, p.server.Stderr = &p.log, &p.log
	if err := p.server.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := p.run(ctx, "psql", "-qh", p.dir, "-U", "bench", "-c", postgresTable, "postgres")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leaveRoot lets the server run as another user, to whom the directory is given.
func (p *postgres) leaveRoot() error {
	u, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(p.dir, int(uid), int(gid))
}

func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

func (p *postgres) run(ctx context.Context, program string, args ...string) (string, error) {
	out, err := p.command(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return string(out), nil
}

var transactionsPerSecond = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// inserts measures prepared inserts of one row over a number of connections,
// and returns how many were durable per second.
func (p *postgres) inserts(ctx context.Context, connections int, duration time.Duration) (float64, error) {
	script := filepath.Join(p.dir, "insert.sql")
	text := fmt.Sprintf(postgresInsert, strings.Repeat("00", 300), strings.Repeat("00", 80))
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		return 0, err
	}
	out, err := p.run(ctx, "pgbench", "-n", "-M", "prepared", "-h", p.dir, "-U", "bench", "-f", script,
		"-c", strconv.Itoa(connections), "-j", strconv.Itoa(min(connections, 2)),
		"-T", strconv.Itoa(max(1, int(duration.Seconds()))), "postgres")
	if err != nil {
		return 0, err
	}
	m := transactionsPerSecond.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("pgbench says no rate:\n%s", out)
	}
	return strconv.ParseFloat(m[1], 64)
}

// stop ends the server and removes what it wrote.
func (p *postgres) stop() error {
	var err error
	if p.server != nil && p.server.Process != nil {
		if err = p.server.Process.Signal(os.Interrupt); err == nil { // a fast shutdown
			if werr := p.server.Wait(); werr != nil {
				err = fmt.Errorf("postgres: %w\n%s", werr, p.log.String())
			}
		}
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// postgresRates measures inserts at each number of connections; it is empty
// when PostgreSQL is not installed.
func postgresRates(ctx context.Context, duration time.Duration, connections []int) (rates map[int]float64, err error) {
	rates = map[int]float64{}
	p, err := startPostgres(ctx)
	if errors.Is(err, errNoPostgres) {
		return rates, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	for _, n := range connections {
		if rates[n], err = p.inserts(ctx, n, duration); err != nil {
			return nil, err
		}
	}
	return rates, nil
}
