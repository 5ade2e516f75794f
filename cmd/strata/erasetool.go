package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata/commands"
	"strata/domain"
	"strata/domain/identity"
	"strata/domain/privacy"
	"strata/internal/backup"
	"strata/internal/config"
	"strata/internal/subjectkeys"
	"strata/internal/view"
	"strata/streams"
)

// eraseOrder is what `strata erase` is to do.
type eraseOrder struct {
	subject, workspace, reason, server, backup string
}

// eraseToolPatience is how long the tool waits for the last copy to be gone.
const eraseToolPatience = 2 * time.Minute

// erase erases a person's data: in the data directory of a server that does not
// run, or by asking one that does; and strikes the keys from a backup.
func erase(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		return errors.New("usage: strata erase SUBJECT --workspace W [--reason R] [--server URL] [--backup DIR] [flags]")
	}
	order := eraseOrder{subject: args[0]}
	loaded, err := load("erase", args[1:], out, func(flags *flag.FlagSet) {
		flags.StringVar(&order.workspace, "workspace", "", "`id` of the workspace whose data names the subject")
		flags.StringVar(&order.reason, "reason", "", "kept as proof; do not describe the person")
		flags.StringVar(&order.server, "server", "", "`URL` of a running server, asked with the key in STRATA_API_KEY; its key decides the workspace")
		flags.StringVar(&order.backup, "backup", "", "`directory` of a backup from which to strike the subject's keys, too")
	})
	if err != nil {
		return err
	}
	if order.workspace == "" && (order.server == "" || order.backup != "") {
		return errors.New("--workspace is needed: the same id in another workspace is somebody else")
	}
	run := order.offline
	if order.server != "" {
		run = order.online
	}
	done, err := run(ctx, &loaded.Config)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "erasure %s of %q (%s) is %s: %d events, %d of them never sealed\n", done.ID, done.Subject, done.Scope, done.Status,
		done.Events, done.Unsealed); err != nil {
		return err
	}
	if order.backup != "" {
		n, err := order.strike(ctx, done.Scope == "organization")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%d keys were struck from the backup in %s\n", n, order.backup); err != nil {
			return err
		}
	}
	if done.Status != string(privacy.Completed) {
		return errors.New("some copies could not be removed yet; the server goes on with it when it runs")
	}
	return nil
}

// offline erases in a data directory.
func (o eraseOrder) offline(ctx context.Context, cfg *config.Config) (done view.Erasure, err error) {
	a, err := open(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), time.Now)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	organization, err := commands.Load(ctx, a.handler, identity.Workspaces, domain.System("", ""), o.workspace,
		func(l *commands.Loaded[identity.Workspace]) string { return l.Organization })
	if err != nil {
		return done, err
	}
	p := domain.System(organization, o.workspace)
	p.Actor = "operator"
	started, err := a.erasures.Erase(ctx, commands.Request{Principal: p}, commands.Erasure{Subject: o.subject, Reason: o.reason})
	if err != nil {
		return done, err
	}
	wait, cancel := context.WithTimeout(ctx, eraseToolPatience)
	defer cancel()
	if err := a.erasures.Wait(wait, started.ID); err != nil && wait.Err() == nil {
		return done, err
	}
	now, err := a.erasures.Show(ctx, p, started.ID)
	return view.ErasureOf(&now), err
}

// online asks a running server.
func (o eraseOrder) online(ctx context.Context, _ *config.Config) (done view.Erasure, err error) {
	body, err := json.Marshal(map[string]string{"subject": o.subject, "reason": o.reason})
	if err != nil {
		return done, err
	}
	done, err = o.ask(ctx, http.MethodPost, "", body)
	wait, cancel := context.WithTimeout(ctx, eraseToolPatience)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for err == nil && done.Status == string(privacy.Pending) {
		select {
		case <-tick.C:
			done, err = o.ask(ctx, http.MethodGet, "/"+url.PathEscape(done.ID), nil)
		case <-wait.Done():
			return done, ctx.Err()
		}
	}
	return done, err
}

func (o eraseOrder) ask(ctx context.Context, method, path string, body []byte) (done view.Erasure, err error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(o.server, "/")+"/api/v1/privacy/erasures"+path, bytes.NewReader(body))
	if err != nil {
		return done, err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("STRATA_API_KEY"))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	var answer struct {
		Data struct {
			ID, Subject, Scope, Status string
			Events, UnsealedEvents     int64
		}
		Error struct{ Code, Message string }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return done, fmt.Errorf("%s answered %s with what is no JSON: %w", o.server, res.Status, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return done, fmt.Errorf("%s answered %s: %s", o.server, res.Status, answer.Error.Message)
	}
	d := answer.Data
	return view.Erasure{ID: d.ID, Subject: d.Subject, Scope: d.Scope, Status: d.Status, Events: d.Events, Unsealed: d.UnsealedEvents}, nil
}

// strike destroys the subject's keys in a backup. everywhere takes all of the
// subject's keys, whatever the workspace: ids of users are unique.
func (o eraseOrder) strike(ctx context.Context, everywhere bool) (n int, err error) {
	who := streams.Subject{Workspace: o.workspace, ID: o.subject}
	if everywhere {
		who.Workspace = ""
	}
	err = backup.ChangeKeys(ctx, o.backup, func(path string) (err error) {
		keys, err := subjectkeys.Open(ctx, path, nil) // destroying needs no master key
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, keys.Close()) }()
		var living []uuid.UUID
		if living, err = keys.Living(ctx, who); err != nil {
			return err
		}
		n = len(living)
		return keys.Destroy(ctx, streams.KeysOf(who, living), time.Now())
	})
	return n, err
}
