package personas

import (
	"io"
	"net/http"
	"time"

	"strata/commands"
	"strata/commands/personauploads"
	"strata/domain"
	"strata/gateway"
	"strata/internal/documents"
	"strata/internal/httpx"
	"strata/streams"
)

// Service completes and uploads personas. All fields but At are needed.
type Service struct {
	Handler   *commands.Handler
	Gateway   *gateway.Gateway
	Store     streams.Store
	Documents *documents.Extractor
	Index     personauploads.Index
	Random    io.Reader // source of tokens
	Settings  Settings
	// RecordPayloads keeps what models were asked and said in the inference log.
	RecordPayloads bool
	// At is called with the name of a point that has been reached, for tests that
	// stop a process there; nil: nothing.
	At func(point string)
}

// Settings of a Service.
type Settings struct {
	Model  string        // that completes personas and reads documents unless the request names one
	Expiry time.Duration // how long an upload waits to be confirmed
	Limit  int64         // bytes of one upload
	Temp   string        // folder of temporary files; the system's when ""
}

const (
	// uploadTime bounds how long one upload may take to arrive and be read.
	uploadTime = 10 * time.Minute
	// confirmPatience is how long a confirmation waits for its rows to be
	// applied before it answers that they are being.
	confirmPatience = 10 * time.Second
)

func (s *Service) reached(point string) {
	if s.At != nil {
		s.At(point)
	}
}

// Register adds the operations to both mounts.
func (s *Service) Register(r *httpx.Router) {
	for _, m := range []struct {
		mount *httpx.Mount
		mark  string // what operation ids of the mount end with
	}{{httpx.API, ""}, {httpx.V1, "V1"}} {
		op := func(id, path, summary, permission string) httpx.Op {
			return httpx.Op{ID: id + m.mark, Method: http.MethodPost, Path: "/personas" + path, Mount: m.mount, Tag: "Personas",
				Summary: summary, Permission: permission}
		}
		complete := op("completePersona", "/completions", "Generate persona completion", "models:invoke")
		complete.Description = "A model reads the conversation and answers what follows for the persona. " +
			"`patch` is what it adds or changes, checked field by field; `persona` is the persona with it. Nothing is stored."
		complete.Timeout = 2 * time.Minute
		complete.BodyExample, complete.ResultExample = exampleCompletion, exampleCompleted
		httpx.Register(r, complete, s.complete)

		upload := op("uploadPersonas", "/upload", "Upload persona files", "personas:create")
		upload.Description = "CSV, XLSX, JSON and JSON Lines files hold a persona per row, with the fields `name`, `birthdate` (YYYY-MM-DD), `notes` and `data`; " +
			"further columns become fields of `data`. From PDF, DOCX, HTML, Markdown and text files a model reads the personas. " +
			"A file with a fault is refused as a whole, every faulty line named. Nothing becomes of the rows before they are confirmed."
		upload.Timeout, upload.MaxBody = uploadTime, s.Settings.Limit
		httpx.Upload(r, httpx.UploadOp{Op: upload, Files: "files", FilesDoc: "Files with personas.",
			Example: "name,birthdate,notes,city\nAda Example,1985-12-10,Calls back in the evening,London\n",
			Form:    map[string]string{"model": "Model that reads documents; it must come before the files."}}, s.upload)

		confirm := op("confirmPersonaUpload", "/upload/{upload_token}/confirm", "Confirm pending persona upload", "personas:create")
		confirm.Description = "`overwrite` updates the personas that are there (and needs the permission personas:update), `create` makes others beside them, `skip` leaves the rows out. " +
			"The token can be used once. What takes longer than ten seconds goes on behind an answer with status 202 and `processing`; its progress is the events of the upload."
		httpx.Register(r, confirm, s.confirm)
	}
}

// requestOf says for whom a command runs.
func requestOf(r *httpx.Request, id string) commands.Request {
	return commands.Request{Principal: r.Principal, ID: id, IdempotencyKey: r.IdempotencyKey, Route: r.Operation + " " + id,
		RequestID: r.ID, CorrelationID: r.CorrelationID}
}

// callOf says for whom a model is asked.
func (s *Service) callOf(r *httpx.Request) gateway.Call {
	p := r.Principal
	return gateway.Call{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID, APIKey: p.KeyID,
		RequestID: r.ID, CorrelationID: r.CorrelationID, RecordPayload: s.RecordPayloads, Tags: []string{"personas"}}
}

func fault(field, format string, args ...any) error {
	var f domain.Faults
	f.Add(true, field, format, args...)
	return f.Err()
}
