// Package connectors works with the places that customers keep data in: it
// creates connectors and tries them, lists their files, opens files as tables
// ([Service.Open]) for whoever reads them, and scans them ([Service.Scan]).
//
// Everything is done as a principal and on a connector as the log has it now: a
// connector that was deleted a moment ago cannot be read any more. Credentials
// are opened from their sealed form right before a request and kept nowhere; so are the values of secrets that
// they refer to.
package connectors

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/connector"
	"strata/internal/bucket"
	"strata/internal/tabular"
	"strata/internal/vault"
)

// Sealer keeps secrets from those who read the log.
type Sealer interface {
	Seal(plain string) (string, error)
	Open(sealed string) (string, error)
}

// Service works with connectors. It is safe for concurrent use.
type Service struct {
	Handler *commands.Handler
	Sealer  Sealer
	Client  *http.Client // of [bucket.NewClient]
	Secrets *vault.Vault // that credentials refer to
	Logger  *slog.Logger
}

// Credentials of a bucket; all empty for one that anybody may read.
type Credentials struct {
	AccessKeyID     string `json:"access_key_id,omitempty"`
	SecretAccessKey string `json:"secret_access_key,omitempty"`
	SessionToken    string `json:"session_token,omitempty"`
}

// testTimeout bounds how long a place may take to answer a try.
const testTimeout = 10 * time.Second

// check names every fault of the credentials. at is put before their names.
func (c Credentials) check(at string) error {
	var f domain.Faults
	f.Add(c.AccessKeyID == "" && c.SecretAccessKey != "", at+"access_key_id", "is required with a secret access key")
	f.Add(c.AccessKeyID != "" && c.SecretAccessKey == "", at+"secret_access_key", "is required with an access key")
	f.Add(c.AccessKeyID == "" && c.SessionToken != "", at+"session_token", "needs an access key")
	for _, t := range c.texts() {
		f.Add(!oneLine(*t.value), at+t.name, "must be at most %d bytes on one line", maxCredential)
	}
	return f.Err()
}

// maxCredential bounds the length of each of the credentials.
const maxCredential = 4096

func oneLine(text string) bool {
	return len(text) <= maxCredential && !strings.ContainsAny(text, "\r\n\x00")
}

// New is a connector to be made. SettingsAt and CredentialsAt are what stands
// before the names of their fields in the request: "s3.", "config.".
type New struct {
	connector.Create
	Credentials
	SettingsAt, CredentialsAt string
}

// faults joins what is wrong with the parts of a request.
func faults(errs ...error) error {
	var all domain.Faults
	for _, err := range errs {
		own, ok := err.(*domain.Error)
		if err != nil && !ok {
			return err
		}
		if ok && own != nil {
			for _, f := range own.Fields {
				all.Add(true, f.Field, "%s", f.Message)
			}
		}
	}
	return all.Err()
}

// Create makes a connector and tries it, for testTimeout at most; the answer
// shows how that went. Errors: VALIDATION_ERROR; as commands.Run.
func (s *Service) Create(ctx context.Context, req commands.Request, n New) (commands.Outcome[connector.State], error) {
	var none commands.Outcome[connector.State]
	if err := faults(n.Create.Check(n.SettingsAt), n.Credentials.check(n.CredentialsAt)); err != nil {
		return none, err
	}
	if out, repeated, err := s.checkSecrets(ctx, req, n); repeated || err != nil {
		return out, err
	}
	cmd := n.Create
	cmd.Credentials = ""
	if n.AccessKeyID != "" {
		plain, err := json.Marshal(n.Credentials)
		if err != nil {
			return none, err
		}
		if cmd.Credentials, err = s.Sealer.Seal(string(plain)); err != nil {
			return none, err
		}
	}
	req.Create = true
	made, err := commands.Run(ctx, s.Handler, connector.Aggregate, req, cmd, show)
	if err != nil || made.Repeated {
		return made, err
	}
	req.ID, req.Permission = made.ID, ""
	tried, _, err := s.Test(ctx, req)
	if err != nil { // it is there, whatever became of the try
		s.Logger.WarnContext(ctx, "a new connector was not tried", "connector", made.ID, "error", err)
		return made, nil
	}
	return tried, nil
}

// show copies a state. Its slices are never changed in place.
func show(l *commands.Loaded[connector.State]) connector.State { return *l.State }

// Test tries to reach a connector's place and records how that went. reason says
// why it could not be reached, "" when it could.
func (s *Service) Test(ctx context.Context, req commands.Request) (out commands.Outcome[connector.State], reason string, err error) {
	if req.Permission != "" && !req.Principal.Can(req.Permission) {
		return out, "", domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	begun := time.Now()
	b, err := s.bucket(ctx, req.Principal, req.ID)
	unusable := err != nil && domain.CodeOf(err) == domain.CodeConflict // for what became of a secret that it refers to
	if err != nil && !unusable {
		return out, "", err
	}
	if !unusable {
		asking, cancel := context.WithTimeout(ctx, testTimeout)
		defer cancel()
		err = b.Check(asking)
	}
	if err != nil {
		if ctx.Err() != nil { // who asked is gone: that says nothing of the place
			return out, "", ctx.Err()
		}
		reason = Reason(err)
	}
	req.Create, req.IdempotencyKey, req.IfMatch = false, "", nil
	out, err = commands.Run(ctx, s.Handler, connector.Aggregate, req,
		connector.RecordTest{LatencyMS: time.Since(begun).Milliseconds(), Reason: reason}, show)
	return out, reason, err
}

// Reason says why a place or a file could not be read, fit for its owner.
func Reason(err error) string {
	if own, ok := err.(*domain.Error); ok {
		return own.Message
	}
	return err.Error()
}

// bucket opens the bucket of a connector. Errors: NOT_FOUND; CONFLICT for a secret
// that its credentials refer to and that is not there any more, or has expired;
// SERVICE_UNAVAILABLE when its use cannot be recorded.
func (s *Service) bucket(ctx context.Context, p domain.Principal, id string) (*bucket.Bucket, error) {
	workspace := ""
	state, err := commands.Load(ctx, s.Handler, connector.Aggregate, p, id, func(l *commands.Loaded[connector.State]) connector.State {
		workspace = l.Workspace
		return show(l)
	})
	if err != nil {
		return nil, err
	}
	if state.Deleted {
		return nil, domain.NotFound(connector.Aggregate.Noun, id)
	}
	c, err := s.credentials(&state)
	if err != nil {
		return nil, err
	}
	if err := s.fill(ctx, workspace, id, &c); err != nil {
		return nil, err
	}
	at := state.S3
	return bucket.New(bucket.Config{Bucket: at.Bucket, Region: at.Region, Endpoint: at.Endpoint, Prefix: at.Prefix, PathStyle: at.ForcePathStyle,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Client: s.Client}), nil
}

// Files lists files of a connector whose names begin with prefix, at most limit,
// in the order of their names and in the pages that the place gives. Errors:
// NOT_FOUND; CONFLICT when the place refuses; SERVICE_UNAVAILABLE and TIMEOUT.
func (s *Service) Files(ctx context.Context, p domain.Principal, id, prefix string, limit int) ([][]bucket.Object, error) {
	b, err := s.bucket(ctx, p, id)
	if err != nil {
		return nil, err
	}
	return b.List(ctx, prefix, limit)
}

// Table is a file of a connector, opened as a table.
type Table struct {
	tabular.Reader
	bucket.Object
	Format tabular.Format
}

// Open opens a file of a connector as a table, to be closed by the caller; ctx
// bounds all reading of it. Errors: NOT_FOUND for the connector or the file;
// VALIDATION_ERROR, naming "file", for one that is no table; else as Files. What
// is wrong further down in the file is told by Next.
func (s *Service) Open(ctx context.Context, p domain.Principal, id, file string) (*Table, error) {
	b, err := s.bucket(ctx, p, id)
	if err != nil {
		return nil, err
	}
	format, _, err := tabular.FormatOf(file)
	if err != nil {
		return nil, noTable(file, err)
	}
	f, err := b.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	r, err := tabular.Open(ctx, f, tabular.Options{})
	if err != nil {
		return nil, noTable(file, err)
	}
	return &Table{Reader: r, Object: f.Object, Format: format}, nil
}

// noTable says why a file is not read as a table.
func noTable(file string, err error) error {
	if _, ok := err.(*domain.Error); ok {
		return err
	}
	var f domain.Faults
	f.Add(true, "file", "%q: %v", file, err)
	return f.Err()
}
