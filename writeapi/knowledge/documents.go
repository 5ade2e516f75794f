package knowledge

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/knowledge"
	"strata/internal/documents"
	"strata/internal/httpx"
	"strata/internal/view"
)

const (
	maxUpload  = 64 << 20 // bytes of all files of a request
	maxFiles   = 50       // of a request
	uploadTime = 5 * time.Minute
	headSize   = 4096 // bytes that tell a format
)

// uploaded answers an upload.
type uploaded struct {
	Documents []view.KnowledgeDocument `json:"documents" doc:"What was taken. It is processed behind this answer."`
	Accepted  int                      `json:"accepted" example:"1"`
	Rejected  []rejected               `json:"rejected" doc:"Files that cannot be read, and why."`
}

// rejected is a file that is not taken.
type rejected struct {
	Name    string `json:"name" example:"scan.pdf"`
	Code    string `json:"code" example:"INVALID_REQUEST"`
	Message string `json:"message" example:"the PDF holds pictures of text only"`
}

// textFields is a document as text.
type textFields struct {
	Name     string     `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Its ending tells the format: .md and .html keep their headings." example:"refunds.md"`
	Content  string     `json:"content" required:"true" minLength:"1" example:"# Refunds\n\nA refund takes five working days."`
	Metadata domain.Doc `json:"metadata" doc:"Your own data; searches can filter by it." example:"{\"lang\":\"en\"}"`
}

type addText struct {
	baseID
	Body textFields
}

type documentID struct {
	ID string `path:"document_id"`
}

type reprocess struct {
	documentID
	Body struct {
		EmbeddingModel string `json:"embedding_model" maxLength:"200" example:"strata/embed-1"`
		ChunkSize      *int   `json:"chunk_size" minimum:"16" maximum:"4096" example:"256"`
		ChunkOverlap   *int   `json:"chunk_overlap" minimum:"0" maximum:"2048" example:"32"`
	}
}

func (s *Service) documents(r *httpx.Router, p place) {
	upload := httpx.UploadOp{
		Op:    p.op("uploadKnowledgeDocuments", http.MethodPost, p.bases+"/{id}"+p.upload, "Upload documents", "update"),
		Files: "files", FilesDoc: "Text, Markdown, HTML, PDF, DOCX, CSV, XLSX, JSON or JSON lines.",
		Form: map[string]string{"metadata": "A JSON object: your own data of all these documents; searches can filter by it.",
			"chunk_size": "Tokens of a piece, at most; the base's when absent.", "chunk_overlap": "Tokens that a piece shares with the one before, at most; the base's when absent."},
		Example:      "A refund takes five working days.",
		FormExamples: map[string]string{"metadata": `{"lang":"en"}`, "chunk_size": "512", "chunk_overlap": "64"},
	}
	upload.Description = "The text of the files is read at once, so that a file that cannot be read is named in the answer; it is cut and embedded behind it. " +
		"`knowledge_document.embedded` events tell how far it is, and `GET …/{document_id}` does."
	upload.Status, upload.MaxBody, upload.Timeout = http.StatusAccepted, maxUpload, uploadTime
	httpx.Upload(r, upload, func(ctx context.Context, form *httpx.Form) (httpx.Reply[uploaded], error) {
		return s.upload(ctx, upload.Permission, httpx.PathValue(ctx, "id"), form)
	})
	text := p.op("addKnowledgeText", http.MethodPost, p.bases+"/{id}/texts", "Add a document as text", "update")
	text.Status = http.StatusAccepted
	httpx.Register(r, text, func(ctx context.Context, in *addText) (httpx.Reply[view.KnowledgeDocument], error) {
		return s.addText(ctx, text.Permission, in)
	})
	again := p.op("reprocessKnowledgeDocument", http.MethodPost, p.documents+"/{document_id}/reprocess", "Chunk and embed a document again", "update")
	again.Description = "What is absent stays as it was. Until it is done the document is not found."
	again.Status = http.StatusAccepted
	httpx.Register(r, again, func(ctx context.Context, in *reprocess) (httpx.Reply[view.KnowledgeDocument], error) {
		b := in.Body
		return s.command(ctx, request(ctx, again.Permission, in.ID), knowledge.Reprocess{EmbeddingModel: b.EmbeddingModel, ChunkSize: b.ChunkSize, ChunkOverlap: b.ChunkOverlap})
	})
	remove := p.op("deleteKnowledgeDocument", http.MethodDelete, p.documents+"/{document_id}", "Delete a document", "delete")
	httpx.Register(r, remove, func(ctx context.Context, in *documentID) (httpx.Reply[view.Deleted], error) {
		out, err := s.command(ctx, request(ctx, remove.Permission, in.ID), knowledge.DeleteDocument{})
		return httpx.Reply[view.Deleted]{Body: view.Deleted{ID: in.ID, Deleted: true}, Revision: out.Revision, Position: out.Position}, err
	})
}

func (s *Service) command(ctx context.Context, req commands.Request, cmd domain.Decider[knowledge.Document]) (httpx.Reply[view.KnowledgeDocument], error) {
	out, err := commands.Run(ctx, s.Handler, knowledge.Documents, req, cmd, func(l *commands.Loaded[knowledge.Document]) view.KnowledgeDocument {
		v := view.KnowledgeDocumentOf(l.State)
		v.Metadata = domain.Doc(nil).Merge(v.Metadata)
		return v
	})
	return httpx.Reply[view.KnowledgeDocument]{Body: out.View, Revision: &out.Revision, Position: out.Position}, err
}

// settingsOf are those of a base that is there.
func (s *Service) settingsOf(ctx context.Context, base string) (knowledge.Settings, error) {
	type found struct {
		knowledge.Settings
		alive bool
	}
	b, err := commands.Load(ctx, s.Handler, knowledge.Bases, httpx.From(ctx).Principal, base, func(l *commands.Loaded[knowledge.Base]) found {
		return found{l.State.Settings, l.State.Exists && !l.State.Deleted}
	})
	if err == nil && !b.alive {
		err = domain.NotFound(knowledge.Bases.Noun, base)
	}
	return b.Settings, err
}

func (s *Service) addText(ctx context.Context, permission string, in *addText) (httpx.Reply[view.KnowledgeDocument], error) {
	var none httpx.Reply[view.KnowledgeDocument]
	settings, err := s.settingsOf(ctx, in.ID)
	if err != nil {
		return none, err
	}
	b := in.Body
	contentType := "text/plain" // whatever the name does not tell
	cmd, err := s.extract(ctx, b.Name, contentType, strings.NewReader(b.Content))
	if err != nil {
		return none, err
	}
	cmd.BaseID, cmd.Metadata, cmd.Settings = in.ID, b.Metadata, settings
	req := request(ctx, permission, "")
	req.Create, req.Route = true, req.Route+in.ID
	return s.command(ctx, req, cmd)
}

// upload reads all files before it takes any: fields may come behind them.
func (s *Service) upload(ctx context.Context, permission, base string, form *httpx.Form) (httpx.Reply[uploaded], error) {
	var none httpx.Reply[uploaded]
	settings, err := s.settingsOf(ctx, base)
	if err != nil {
		return none, err
	}
	out := uploaded{Documents: []view.KnowledgeDocument{}, Rejected: []rejected{}}
	var read []knowledge.Receive
	for {
		file, err := form.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return none, err
		}
		if len(read)+len(out.Rejected) == maxFiles {
			return none, domain.Errorf(domain.CodePayloadTooLarge, "at most %d files are taken at once", maxFiles)
		}
		cmd, err := s.extract(ctx, file.Name, file.ContentType, file)
		if err != nil {
			e, ok := errors.AsType[*domain.Error](err)
			if !ok || e.Code == domain.CodeInternal {
				return none, err
			}
			out.Rejected = append(out.Rejected, rejected{Name: file.Name, Code: string(e.Code), Message: e.Error()})
			if _, err := io.Copy(io.Discard, file); err != nil { // the rest of it, or the upload is cut
				return none, err
			}
			continue
		}
		read = append(read, cmd)
	}
	about, err := fieldsOf(form, &settings)
	if err != nil {
		return none, err
	}
	var reply httpx.Reply[uploaded]
	for i, cmd := range read {
		cmd.BaseID, cmd.Metadata, cmd.Settings = base, about, settings
		req := request(ctx, permission, "")
		req.Create, req.Route = true, req.Route+base+" "+strconv.Itoa(i)
		taken, err := s.command(ctx, req, cmd)
		if err != nil {
			return none, err
		}
		reply.Position = taken.Position
		out.Documents = append(out.Documents, taken.Body)
	}
	out.Accepted = len(out.Documents)
	reply.Body = out
	if out.Accepted == 0 {
		return none, refused(out.Rejected)
	}
	return reply, nil
}

// refused answers when nothing was taken: with all that is wrong.
func refused(all []rejected) error {
	var f domain.Faults
	for _, r := range all {
		f.Add(true, "files."+r.Name, "%s", r.Message)
	}
	return f.Err()
}

// fieldsOf reads the other fields of a form.
func fieldsOf(form *httpx.Form, settings *knowledge.Settings) (domain.Doc, error) {
	var f domain.Faults
	var metadata domain.Doc
	if text := form.Field("metadata"); text != "" {
		f.Add(json.Unmarshal([]byte(text), &metadata) != nil, "metadata", "must be a JSON object")
	}
	for name, into := range map[string]*int{"chunk_size": &settings.ChunkSize, "chunk_overlap": &settings.ChunkOverlap} {
		if text := form.Field(name); text != "" {
			n, err := strconv.Atoi(text)
			f.Add(err != nil, name, "must be an integer")
			*into = n
		}
	}
	return metadata, f.Err()
}

// counted notes what was read of a file.
type counted struct {
	r    io.Reader
	size int64
	sum  hash.Hash
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.size += int64(n)
	_, _ = c.sum.Write(p[:n]) // a hash takes everything
	return n, err
}

// extract reads the text of a file.
func (s *Service) extract(ctx context.Context, name, contentType string, r io.Reader) (knowledge.Receive, error) {
	var none knowledge.Receive
	file := &counted{r: r, sum: sha256.New()}
	buffered := bufio.NewReaderSize(file, headSize)
	head, err := buffered.Peek(headSize)
	if err != nil && err != io.EOF {
		return none, err
	}
	format, err := documents.Detect(name, contentType, head)
	if err != nil {
		return none, err
	}
	cmd := knowledge.Receive{About: knowledge.About{Name: name}, MIMEType: mediaTypes[format]}
	for section, err := range s.Extractor.Sections(ctx, buffered, format) {
		if err != nil {
			return none, err
		}
		cmd.Sections = append(cmd.Sections, knowledge.Section{Headings: section.Headings, Page: section.Page, Text: section.Text})
	}
	if _, err := io.Copy(io.Discard, buffered); err != nil { // what the reader did not need counts as well
		return none, err
	}
	if len(cmd.Sections) == 0 {
		return none, domain.Errorf(domain.CodeInvalidRequest, "the file %q has no text in it", name)
	}
	cmd.SizeBytes, cmd.Checksum = file.size, hex.EncodeToString(file.sum.Sum(nil))
	return cmd, nil
}

// mediaTypes are what formats are called.
var mediaTypes = map[documents.Format]string{
	documents.Text: "text/plain", documents.Markdown: "text/markdown", documents.HTML: "text/html", documents.PDF: "application/pdf",
	documents.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", documents.CSV: "text/csv",
	documents.JSON: "application/json", documents.JSONL: "application/jsonl",
	documents.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// rawUpdate is a patch as its canonical JSON.
type rawUpdate struct {
	baseID
	Body json.RawMessage
}

func (u *rawUpdate) patch() (domain.Doc, error) {
	var patch domain.Doc
	return patch, json.Unmarshal(u.Body, &patch)
}
