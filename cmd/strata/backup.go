package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"strata/internal/backup"
	"strata/internal/config"
)

// backedUp is what of a data directory belongs into a backup.
func backedUp(cfg *config.Config) backup.Installation {
	within := func(path string) string {
		rel, err := filepath.Rel(cfg.Data.Dir, path)
		if err != nil { // both come from the same setting
			panic(err)
		}
		return filepath.ToSlash(rel)
	}
	models := within(cfg.Data.ModelsDir())
	return backup.Installation{
		Dir: cfg.Data.Dir, Log: within(cfg.Data.LogDir()), State: []string{models + "/reactors.db"},
		Files: []string{within(cfg.Data.KeyFile())}, Keys: within(cfg.Data.SubjectKeysFile()),
	}
}

// backupTool makes or verifies a backup. The server may run.
func backupTool(ctx context.Context, args []string, out io.Writer) error {
	var to, verify string
	loaded, err := load("backup", args, out, func(fs *flag.FlagSet) {
		fs.StringVar(&to, "to", "", "`directory` of the backup; one that is there is brought up to date")
		fs.StringVar(&verify, "verify", "", "check the backup in a `directory` instead of making one")
	})
	if err != nil {
		return err
	}
	switch {
	case (to == "") == (verify == ""):
		return errors.New("usage: strata backup --to DIR [flags], or strata backup --verify DIR")
	case verify != "":
		return verifyBackup(ctx, verify, out)
	}
	if err := embeddedOnly(&loaded.Config); err != nil {
		return err
	}
	lines := &progressLines{out: out, doing: "copied"}
	r, err := backup.Run(ctx, backedUp(&loaded.Config), to, backup.Options{Version: version, Progress: lines.tell})
	if err = errors.Join(err, lines.err); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s holds everything up to position %d: %d segments (%d copied now) and %d other files, %d bytes (%d written now), in %s\n",
		to, r.Position, len(r.Segments), r.Copied, len(r.Files), r.Bytes(), r.Wrote, r.Finished.Sub(r.Started).Round(time.Millisecond))
	if err == nil && loaded.Secrets.MasterKey != "" {
		_, err = fmt.Fprintln(out, "the master key comes from the configuration and is not in the backup: keep it elsewhere")
	}
	return err
}

func verifyBackup(ctx context.Context, dir string, out io.Writer) error {
	m, faults, err := backup.Verify(ctx, dir, backup.Options{})
	if err != nil {
		return err
	}
	for _, f := range faults {
		if _, err := fmt.Fprintln(out, f); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "backup of %s up to position %d: %d segments and %d other files, %d bytes: %d faults\n",
		m.Finished.Format(time.RFC3339), m.Position, len(m.Segments), len(m.Files), m.Bytes(), len(faults)); err != nil {
		return err
	}
	if len(faults) > 0 {
		return errors.New("the backup is damaged")
	}
	return nil
}

// restoreTool puts a backup into an empty data directory.
func restoreTool(ctx context.Context, args []string, out io.Writer) error {
	var from string
	loaded, err := load("restore", args, out, func(fs *flag.FlagSet) {
		fs.StringVar(&from, "from", "", "`directory` of the backup")
	})
	if err != nil {
		return err
	}
	if from == "" {
		return errors.New("usage: strata restore --from DIR [flags]")
	}
	if err := embeddedOnly(&loaded.Config); err != nil {
		return err
	}
	lines := &progressLines{out: out, doing: "restored"}
	i := backedUp(&loaded.Config)
	m, err := backup.Restore(ctx, from, i.Dir, i.Log, backup.Options{Progress: lines.tell})
	if err = errors.Join(err, lines.err); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s was restored up to position %d as of %s, and its log verified; read models and analytics are folded from it at the next start\n",
		i.Dir, m.Position, m.Started.Format(time.RFC3339))
	return err
}

// progressLines tells on lines how far a tool is, at most one a second.
type progressLines struct {
	out   io.Writer
	doing string
	last  time.Time
	err   error
}

func (p *progressLines) tell(at backup.Progress) {
	if now := time.Now(); p.err == nil && (at.Done == at.Total || now.Sub(p.last) >= time.Second) {
		p.last = now
		_, p.err = fmt.Fprintf(p.out, "%s %d of %d segments, %d bytes\n", p.doing, at.Done, at.Total, at.Bytes)
	}
}
