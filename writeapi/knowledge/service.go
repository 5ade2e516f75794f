package knowledge

import (
	"context"
	"net/http"
	"reflect"

	"strata/commands"
	bases "strata/commands/knowledge"
	"strata/domain"
	"strata/domain/knowledge"
	"strata/gateway"
	"strata/internal/documents"
	"strata/internal/httpx"
	"strata/internal/view"
)

// Library is what is known of knowledge bases, and where pieces of them are found.
type Library interface {
	// Find answers with the pieces that fit best. Errors: NOT_FOUND for a base that
	// the principal's workspace has not, VALIDATION_ERROR, the gateway's.
	Find(ctx context.Context, p domain.Principal, q knowledge.Question) ([]knowledge.Found, error)
	// Resolve finds a base by its id, the id of its vector index or its name.
	Resolve(ctx context.Context, p domain.Principal, name string) (*knowledge.Base, error)
	// Totals are what the documents of a base come to, and the id of its vector index.
	Totals(ctx context.Context, p domain.Principal, id string) (view.KnowledgeTotals, error)
	// Index is the id of a base's vector index.
	Index(base string) string
}

// Service serves the operations.
type Service struct {
	Handler        *commands.Handler
	Resources      *commands.Resources // for RAG endpoints
	Library        Library
	Gateway        *gateway.Gateway
	Extractor      *documents.Extractor
	RecordPayloads bool // keep what was said to models in the inference log as well
}

// place is where knowledge bases are on a mount.
type place struct {
	mount     *httpx.Mount
	suffix    string // of operation ids
	bases     string
	documents string // by id
	upload    string // below a base
	search    string
}

var places = []place{
	{httpx.API, "", "/datasets", "/knowledge/documents", "/upload", "/knowledge/search"},
	{httpx.V1, "V1", "/knowledge-bases", "/knowledge-documents", "/documents", "/knowledge-bases/search"},
}

func (p place) op(id, method, path, summary, verb string) httpx.Op {
	return httpx.Op{ID: id + p.suffix, Method: method, Path: path, Mount: p.mount, Tag: "Knowledge", Summary: summary, Permission: "knowledge-bases:" + verb}
}

// readModel is what answers of the write side wait for.
const readModel = "knowledge"

// Register adds every operation to a router.
func (s *Service) Register(r *httpx.Router) {
	for _, p := range places {
		s.bases(r, p)
		s.documents(r, p)
		s.searches(r, p)
	}
	s.vectorStores(r)
	s.generation(r)
}

// request says for whom a command of an operation runs.
func request(ctx context.Context, permission, id string) commands.Request {
	r := httpx.From(ctx)
	return commands.Request{Principal: r.Principal, Permission: permission, ID: id, IfMatch: r.IfMatch, IdempotencyKey: r.IdempotencyKey,
		Route: r.Operation + " " + id, RequestID: r.ID, CorrelationID: r.CorrelationID}
}

// baseFields are what a client may set of a knowledge base.
type baseFields struct {
	Name           string   `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name, unique in the workspace." example:"Handbook"`
	Description    string   `json:"description" maxLength:"2000" example:"What everybody here should know."`
	EmbeddingModel string   `json:"embedding_model" maxLength:"200" default:"strata/embed-1" doc:"Embeds the documents that come in from now on; any model of the gateway. The built-in one needs no network and knows words, not meaning." example:"strata/embed-1"`
	ChunkSize      int      `json:"chunk_size" minimum:"16" maximum:"4096" default:"512" doc:"Tokens of a piece, at most." example:"512"`
	ChunkOverlap   int      `json:"chunk_overlap" minimum:"0" maximum:"2048" default:"64" doc:"Tokens that a piece shares with the one before, at most; at most half the chunk size." example:"64"`
	QueryModel     string   `json:"query_model" maxLength:"200" doc:"Chat model that writes queries anew when a search wants that (rewrite_query). None: they stay as they are." example:"openai/gpt-4o-mini"`
	Tags           []string `json:"tags" maxItems:"50" example:"[\"hr\"]"`
}

type createBase struct{ Body baseFields }

type baseID struct {
	ID string `path:"id"`
}

func (s *Service) bases(r *httpx.Router, p place) {
	commandsOf := bases.Bases{Handler: s.Handler}
	create := p.op("createKnowledgeBase", http.MethodPost, p.bases, "Create a knowledge base", "create")
	create.Status = http.StatusCreated
	httpx.Register(r, create, func(ctx context.Context, in *createBase) (httpx.Reply[view.KnowledgeBase], error) {
		b := in.Body
		cmd := knowledge.CreateBase{BaseFields: knowledge.BaseFields{Name: b.Name, Description: b.Description, QueryModel: b.QueryModel, Tags: b.Tags,
			Settings: knowledge.Settings{EmbeddingModel: b.EmbeddingModel, ChunkSize: b.ChunkSize, ChunkOverlap: b.ChunkOverlap}}}
		out, err := commandsOf.Create(ctx, request(ctx, create.Permission, ""), cmd)
		return s.showBase(out, view.KnowledgeTotals{Status: "empty"}), err
	})
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		id := map[string]string{http.MethodPut: "updateKnowledgeBase", http.MethodPatch: "patchKnowledgeBase"}[method]
		update := p.op(id, method, p.bases+"/{id}", "Update a knowledge base", "update")
		update.Description = "Fields that are absent stay as they are. Documents that are there stay as they were processed; reprocess them to change that."
		update.Body, update.BodyView = reflect.TypeFor[baseFields](), httpx.Update
		httpx.Register(r, update, func(ctx context.Context, in *rawUpdate) (httpx.Reply[view.KnowledgeBase], error) {
			patch, err := in.patch()
			if err != nil {
				return httpx.Reply[view.KnowledgeBase]{}, err
			}
			out, err := commandsOf.Revise(ctx, request(ctx, update.Permission, in.ID), knowledge.ReviseBase{Patch: patch})
			if err != nil {
				return httpx.Reply[view.KnowledgeBase]{}, err
			}
			totals, err := s.Library.Totals(ctx, httpx.From(ctx).Principal, in.ID)
			return s.showBase(out, totals), err
		})
	}
	remove := p.op("deleteKnowledgeBase", http.MethodDelete, p.bases+"/{id}", "Delete a knowledge base", "delete")
	remove.Description = "Its documents are deleted, too, and nothing of them can be found any more."
	httpx.Register(r, remove, func(ctx context.Context, in *baseID) (httpx.Reply[view.Deleted], error) {
		out, err := commandsOf.Delete(ctx, request(ctx, remove.Permission, in.ID))
		return httpx.Reply[view.Deleted]{Body: view.Deleted{ID: in.ID, Deleted: true}, Revision: &out.Revision, Position: out.Position}, err
	})
}

func (s *Service) showBase(out commands.Outcome[bases.Seen], t view.KnowledgeTotals) httpx.Reply[view.KnowledgeBase] {
	return httpx.Reply[view.KnowledgeBase]{Body: view.KnowledgeBaseOf(&out.View.Base, s.Library.Index(out.ID), t), Revision: &out.Revision, Position: out.Position}
}
