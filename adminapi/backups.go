package adminapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"strata/domain"
	"strata/internal/backup"
	"strata/internal/httpx"
)

// backupView is how a backup is shown.
type backupView struct {
	Name       string     `json:"name" example:"main"`
	State      string     `json:"state" enum:"running,complete,failed" doc:"Of the latest run. One that failed left the backup before it whole." example:"complete"`
	Position   uint64     `json:"position" doc:"Everything up to here is in the backup; 0 when there is none yet." example:"1042"`
	Segments   int        `json:"segments" example:"3"`
	Bytes      int64      `json:"bytes" example:"150994944"`
	Progress   *progress  `json:"progress,omitempty" doc:"Of the run that goes on."`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at" nullable:"true"`
	Error      string     `json:"error,omitempty" doc:"Why the run failed."`
}

type progress struct {
	Done  int `json:"done" doc:"Segments looked at." example:"2"`
	Total int `json:"total" example:"3"`
}

type startBackup struct {
	Body struct {
		To string `json:"to" maxLength:"100" doc:"Name of the backup, a directory inside backup.dir; main when absent. One that is there is brought up to date." example:"main"`
	}
}

type backupName struct {
	Name string `path:"name" example:"main"`
}

// defaultBackup is the name of a backup that is given none.
const defaultBackup = "main"

func (a *API) backups() {
	op := func(id, method, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: "/admin/backups" + path, Mount: httpx.API, Tag: "Admin", Summary: summary,
			Permission: "backups:" + verb, Installation: true}
	}
	begin := op("createBackup", http.MethodPost, "", "Make a backup", "create")
	begin.Status = http.StatusAccepted
	begin.Description = "Log and keys are copied in the background, into a directory inside `backup.dir` of the configuration; only what is new is copied. " +
		"Everything acknowledged before the call is in it. Restoring is for the command line: `strata restore`."
	httpx.Register(a.r, begin, func(_ context.Context, in *startBackup) (httpx.Reply[backupView], error) {
		if in.Body.To == "" {
			in.Body.To = defaultBackup
		}
		if a.Log == nil {
			return httpx.Reply[backupView]{}, errServersLog
		}
		s, err := a.Backups.Begin(in.Body.To)
		if err != nil {
			return httpx.Reply[backupView]{}, backupError(err)
		}
		return httpx.Respond(showBackup(s))
	})
	listing := op("listBackups", http.MethodGet, "", "List backups", "list")
	listing.Paging, listing.PageDefault = httpx.Cursor, 100
	httpx.Register(a.r, listing, func(_ context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[backupView]], error) {
		all, err := a.Backups.List()
		if err != nil {
			return httpx.Reply[httpx.List[backupView]]{}, backupError(err)
		}
		out := make([]backupView, 0, len(all))
		for _, s := range all {
			out = append(out, showBackup(s))
		}
		return httpx.Respond(pageOf(out, in.ListParams, func(b backupView) string { return b.Name }))
	})
	httpx.Register(a.r, op("getBackup", http.MethodGet, "/{name}", "Get a backup", "get"),
		func(_ context.Context, in *backupName) (httpx.Reply[backupView], error) {
			s, err := a.Backups.Get(in.Name)
			if err != nil {
				return httpx.Reply[backupView]{}, backupError(err)
			}
			return httpx.Respond(showBackup(s))
		})
}

func showBackup(s backup.Status) backupView {
	out := backupView{Name: s.Name, State: string(s.State), Position: uint64(s.Position), Segments: s.Segments, Bytes: s.Bytes, StartedAt: s.Started}
	if !s.Finished.IsZero() {
		out.FinishedAt = &s.Finished
	}
	if s.State == backup.Running {
		out.Progress = &progress{Done: s.Done, Total: s.Total}
	}
	if s.Err != nil {
		out.Error = s.Err.Error()
	}
	return out
}

// backupError says what the caller can do about it.
func backupError(err error) error {
	switch {
	case errors.Is(err, backup.ErrNoDir):
		return domain.Errorf(domain.CodeConflict, "the server makes no backups: set backup.dir (STRATA_BACKUP_DIR), or use strata backup").Because(err)
	case errors.Is(err, backup.ErrBusy):
		return domain.Errorf(domain.CodeConflict, "%v", err).Because(err)
	case errors.Is(err, backup.ErrNone):
		return domain.Errorf(domain.CodeNotFound, "%v", err).Because(err)
	case errors.Is(err, backup.ErrName):
		var f domain.Faults
		f.Add(true, "to", "%v", err)
		return f.Err()
	}
	return err
}
