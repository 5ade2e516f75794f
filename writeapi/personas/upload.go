package personas

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"strata/commands"
	"strata/commands/personauploads"
	"strata/domain"
	"strata/domain/personaupload"
	"strata/internal/documents"
	"strata/internal/httpx"
)

// Bounds of an upload and its chunks.
const (
	mostRows   = 200_000
	chunkRows  = 500
	chunkBytes = 256 << 10
	sniffed    = 4096
)

// Uploaded is an upload that waits to be confirmed.
type Uploaded struct {
	UploadToken      string `json:"upload_token" doc:"Confirms the upload, once." example:"pup_01jk2m3n4p5q6r7s8t9v0w1x2y.4f0c2a7b9d3e6f81a5c4b7d2e9f03a6c1b8d4e7f20a5c3b9"`
	UploadID         string `json:"upload_id" doc:"Names the upload in its events." example:"pup_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Status           string `json:"status" enum:"pending" doc:"It waits to be confirmed."`
	Total            int    `json:"total" doc:"Personas in the files." example:"120"`
	ConflictPersonas int    `json:"conflict_personas" doc:"Of them, those whose name and birthdate are a persona's already, or an earlier one's of the files." example:"3"`
	Message          string `json:"message" example:"120 personas are ready, 3 of them in conflict; confirm them before 2024-01-16T10:30:00Z"`
}

func (s *Service) upload(ctx context.Context, form *httpx.Form) (httpx.Reply[Uploaded], error) {
	var none httpx.Reply[Uploaded]
	spool, err := os.CreateTemp(s.Settings.Temp, "personas-*")
	if err != nil {
		return none, fmt.Errorf("personas: %w", err)
	}
	defer spool.Close()
	// Without a name it goes away with the process, however that ends.
	if err := os.Remove(spool.Name()); err != nil {
		return none, fmt.Errorf("personas: %w", err)
	}
	files, err := s.read(ctx, form, spool)
	if err != nil {
		return none, err
	}
	s.reached("upload.read")
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return none, fmt.Errorf("personas: %w", err)
	}
	return s.keep(ctx, files, spool)
}

// read checks all files and writes their rows to the spool, a JSON text each.
func (s *Service) read(ctx context.Context, form *httpx.Form, spool io.Writer) (files int, err error) {
	out := bufio.NewWriterSize(spool, 64<<10)
	r := &reader{Service: s, form: form, enc: json.NewEncoder(out)}
	for ; ; files++ {
		file, err := form.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := r.file(ctx, file); err != nil {
			return 0, err
		}
	}
	if err := r.faults.Err(); err != nil {
		return 0, err
	}
	if r.rows == 0 {
		return 0, fault("files", "hold no personas")
	}
	return files, out.Flush()
}

// reader reads the files of an upload.
type reader struct {
	*Service
	form   *httpx.Form
	enc    *json.Encoder
	faults faults
	rows   int
}

// errEnough ends an upload with as many faults as are named.
var errEnough = errors.New("personas: enough faults")

func (r *reader) file(ctx context.Context, file *httpx.File) error {
	in := bufio.NewReaderSize(file, sniffed)
	head, err := in.Peek(sniffed)
	if err != nil && err != io.EOF {
		return err
	}
	format, err := documents.Detect(file.Name, file.ContentType, head)
	if err != nil {
		return err
	}
	if format.Tabular() {
		err = r.table(ctx, file.Name, in, format)
	} else {
		err = r.document(ctx, file.Name, in, format)
	}
	if errors.Is(err, errEnough) {
		return r.faults.Err()
	}
	if e, ok := errors.AsType[*domain.Error](err); ok && len(e.Fields) == 0 {
		named := *e
		named.Message = file.Name + ": " + e.Message
		return &named
	}
	return err
}

func (r *reader) table(ctx context.Context, name string, in io.Reader, format documents.Format) error {
	for record, err := range r.Documents.Rows(ctx, in, format) {
		if bad, ok := errors.AsType[*documents.Fault](err); ok {
			r.faults.Add(true, at(name, bad.Line, bad.Field), "%s", bad.Message)
		} else if err != nil {
			return err
		} else if err := r.row(rowOf(name, record, &r.faults)); err != nil {
			return err
		}
		if r.faults.count() >= mostFaults {
			return errEnough
		}
	}
	return nil
}

// row writes a row that was checked. After the first fault the rest is only
// read to name the others.
func (r *reader) row(row personaupload.Row) error {
	if r.rows++; r.rows > mostRows {
		return domain.Errorf(domain.CodePayloadTooLarge, "the files have more than %d personas; upload them in parts", mostRows)
	}
	if r.faults.count() > 0 {
		return nil
	}
	return r.enc.Encode(row)
}

// keep writes the rows to the log. Until the last event of it nobody can see
// or confirm them.
func (s *Service) keep(ctx context.Context, files int, spool io.Reader) (httpx.Reply[Uploaded], error) {
	var none httpx.Reply[Uploaded]
	secret := make([]byte, 24)
	if _, err := io.ReadFull(s.Random, secret); err != nil {
		return none, fmt.Errorf("personas: %w", err)
	}
	k := &keeper{Service: s, ctx: ctx, req: requestOf(httpx.From(ctx), domain.NewID(personaupload.Aggregate.Prefix)), met: map[personauploads.Key]bool{}}
	k.req.IdempotencyKey = "" // the token is made anew, so there is no first answer to give again
	var err error
	if k.head, err = s.Store.Head(ctx); err != nil {
		return none, err
	}
	expires := s.Handler.Now().Add(s.Settings.Expiry)
	k.req.Create = true
	if _, err := k.run(personaupload.Receive{Token: hashed(hex.EncodeToString(secret)), Files: files, ExpiresAt: expires}); err != nil {
		return none, err
	}
	k.req.Create = false
	if err := k.all(json.NewDecoder(bufio.NewReaderSize(spool, 64<<10))); err != nil {
		return none, err
	}
	s.reached("upload.kept")
	out, err := k.run(personaupload.Prepare{Conflicts: k.conflicts})
	if err != nil {
		return none, err
	}
	s.reached("upload.prepared")
	st := out.View
	return httpx.Reply[Uploaded]{Position: out.Position, Body: Uploaded{
		UploadToken: st.ID + "." + hex.EncodeToString(secret), UploadID: st.ID, Status: string(st.Status), Total: st.Rows, ConflictPersonas: st.Conflicts,
		Message: fmt.Sprintf("%s ready, %d of them in conflict; confirm them before %s", plural(st.Rows), st.Conflicts, domain.FormatTime(st.ExpiresAt)),
	}}, nil
}

func plural(n int) string {
	if n == 1 {
		return "1 persona is"
	}
	return fmt.Sprintf("%d personas are", n)
}

// hashed is what the log knows of a token's secret, which is random and long:
// nothing slower is needed.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// keeper writes the rows of an upload to the log, chunk by chunk.
type keeper struct {
	*Service
	ctx       context.Context
	req       commands.Request
	head      domain.Position // what conflicts are looked for in
	met       map[personauploads.Key]bool
	conflicts int
}

func (k *keeper) run(cmd domain.Decider[personaupload.State]) (commands.Outcome[personaupload.State], error) {
	return commands.Run(k.ctx, k.Handler, personaupload.Aggregate, k.req, cmd,
		func(l *commands.Loaded[personaupload.State]) personaupload.State { return *l.State })
}

func (k *keeper) all(dec *json.Decoder) error {
	var rows []personaupload.Row
	size := 0
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if err == io.EOF {
			return k.chunk(rows)
		}
		if err != nil {
			return fmt.Errorf("personas: %w", err)
		}
		if len(rows) == chunkRows || len(rows) > 0 && size+len(raw) > chunkBytes {
			if err := k.chunk(rows); err != nil {
				return err
			}
			rows, size = nil, 0
		}
		var row personaupload.Row
		if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&row); err != nil {
			return fmt.Errorf("personas: %w", err)
		}
		rows, size = append(rows, row), size+len(raw)
	}
}

func (k *keeper) chunk(rows []personaupload.Row) error {
	keys := make([]personauploads.Key, len(rows))
	for i, r := range rows {
		keys[i] = personauploads.KeyOf(r)
	}
	existing, err := k.Index.Find(k.ctx, k.req.Principal.Workspace, k.head, keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if k.met[key] || len(existing[key]) > 0 {
			k.conflicts++
		}
		k.met[key] = true
	}
	_, err = k.run(personaupload.AddRows{Rows: rows})
	k.reached("upload.chunk")
	return err
}

// modelOf is the model that reads documents.
func (r *reader) modelOf() string {
	return cmp.Or(strings.TrimSpace(r.form.Field("model")), r.Settings.Model)
}
