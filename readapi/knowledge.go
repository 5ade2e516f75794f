package readapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"strata/domain"
	"strata/domain/knowledge"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
	model "strata/projections/knowledge"
	"strata/projections/vectors"
)

// Library is what the read side knows of knowledge bases.
type Library struct {
	*model.Queries
	// Pieces lists a document's pieces from ClickHouse.
	Pieces func(ctx context.Context, workspace, index, item string, after, limit int) ([]vectors.Piece, error)
}

// knowledgePlace is where knowledge bases are on a mount.
type knowledgePlace struct {
	mount     *httpx.Mount
	suffix    string // of operation ids
	bases     string
	documents string // by id
	paging    httpx.Paging
}

var knowledgePlaces = []knowledgePlace{
	{httpx.API, "", "/datasets", "/knowledge/documents", httpx.Cursor},
	{httpx.V1, "V1", "/knowledge-bases", "/knowledge-documents", httpx.After},
}

func (a *API) knowledge() {
	for _, p := range knowledgePlaces {
		a.knowledgeBases(p)
		a.knowledgeDocuments(p)
	}
	op := knowledgePlaces[0].op("getDatasetEmbeddings", "/datasets/{id}/embeddings", "Get embedding status", "get")
	httpx.Register(a.r, op, func(ctx context.Context, in *baseID) (httpx.Reply[view.Embeddings], error) {
		_, ws := tenant(ctx)
		b, err := a.Knowledge.Base(ctx, ws, in.ID)
		return httpx.Reply[view.Embeddings]{Body: embeddings(&b)}, err
	})
}

func (p knowledgePlace) op(id, path, summary, verb string) httpx.Op {
	return httpx.Op{ID: id + p.suffix, Method: http.MethodGet, Path: path, Mount: p.mount, Tag: "Knowledge", Summary: summary,
		Permission: "knowledge-bases:" + verb, Reads: model.Name}
}

type baseID struct {
	ID string `path:"id"`
}

func showBase(b model.Base) view.KnowledgeBase {
	return view.KnowledgeBaseOf(&b.Base, model.IndexOf(b.ID), TotalsOf(b.Totals))
}

// TotalsOf shows what the documents of a base come to.
func TotalsOf(t model.Totals) view.KnowledgeTotals {
	return view.KnowledgeTotals{Status: string(t.Status()), DocumentCount: t.Documents, ChunkCount: t.Chunks, SizeBytes: t.SizeBytes}
}

func (a *API) knowledgeBases(p knowledgePlace) {
	all := p.op("listKnowledgeBases", p.bases, "List knowledge bases", "list")
	all.Paging, all.Sort, all.Search, all.Filters = p.paging, model.SortFields, true, []string{"status=" + strings.Join(model.BaseStatuses(), "|")}
	httpx.Register(a.r, all, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.KnowledgeBase]], error) {
		_, ws := tenant(ctx)
		found, err := a.Knowledge.Bases(ctx, ws, in.Search, in.Filters["status"], page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.KnowledgeBase]]{}, err
		}
		return list(found, always(showBase))
	})
	serve(a, resource[knowledge.Base, view.KnowledgeBase]{
		op: p.op("getKnowledgeBase", p.bases+"/{id}", "Get a knowledge base", "get"), agg: knowledge.Bases, param: "id",
		now: func(ctx context.Context) (httpx.Reply[view.KnowledgeBase], error) {
			_, ws := tenant(ctx)
			b, err := a.Knowledge.Base(ctx, ws, httpx.PathValue(ctx, "id"))
			return httpx.Reply[view.KnowledgeBase]{Body: showBase(b), Revision: &b.Revision}, err
		},
		alive: func(m *history.Moment[knowledge.Base]) bool { return m.State.Exists && !m.State.Deleted },
		show: func(m *history.Moment[knowledge.Base]) (view.KnowledgeBase, error) {
			return view.KnowledgeBaseOf(m.State, model.IndexOf(m.State.ID), view.KnowledgeTotals{Status: string(model.Empty)}), nil
		},
	})
}

type documentsInput struct {
	baseID
	httpx.ListParams
}

type documentID struct {
	ID string `path:"document_id"`
}

type chunksInput struct {
	documentID
	httpx.ListParams
}

func (a *API) knowledgeDocuments(p knowledgePlace) {
	all := p.op("listKnowledgeDocuments", p.bases+"/{id}/documents", "List a knowledge base's documents", "get")
	all.Paging, all.Sort, all.Search, all.Filters = p.paging, model.SortFields, true, []string{"status=pending|processing|completed|failed"}
	httpx.Register(a.r, all, func(ctx context.Context, in *documentsInput) (httpx.Reply[httpx.List[view.KnowledgeDocument]], error) {
		var none httpx.Reply[httpx.List[view.KnowledgeDocument]]
		_, ws := tenant(ctx)
		b, err := a.Knowledge.Base(ctx, ws, in.ID)
		if err != nil {
			return none, err
		}
		found, err := a.Knowledge.Documents(ctx, ws, b.ID, in.Search, in.Filters["status"], page(in.ListParams))
		if err != nil {
			return none, err
		}
		return list(found, always(func(d model.Document) view.KnowledgeDocument { return view.KnowledgeDocumentOf(&d.Document) }))
	})
	serve(a, resource[knowledge.Document, view.KnowledgeDocument]{
		op: p.op("getKnowledgeDocument", p.documents+"/{document_id}", "Get a document", "get"), agg: knowledge.Documents, param: "document_id",
		now: func(ctx context.Context) (httpx.Reply[view.KnowledgeDocument], error) {
			_, ws := tenant(ctx)
			d, err := a.Knowledge.Document(ctx, ws, httpx.PathValue(ctx, "document_id"))
			return httpx.Reply[view.KnowledgeDocument]{Body: view.KnowledgeDocumentOf(&d.Document), Revision: &d.Revision}, err
		},
		alive: func(m *history.Moment[knowledge.Document]) bool { return m.State.Run > 0 && !m.State.Deleted },
		show: func(m *history.Moment[knowledge.Document]) (view.KnowledgeDocument, error) {
			return view.KnowledgeDocumentOf(m.State), nil
		},
	})
	chunks := p.op("listKnowledgeChunks", p.documents+"/{document_id}/chunks", "List a document's chunks", "get")
	chunks.Paging = p.paging
	httpx.Register(a.r, chunks, a.listChunks)
}

// listChunks pages by ordinals: cursor and after are those of the last chunk seen.
func (a *API) listChunks(ctx context.Context, in *chunksInput) (httpx.Reply[httpx.List[view.KnowledgeChunk]], error) {
	var none httpx.Reply[httpx.List[view.KnowledgeChunk]]
	_, ws := tenant(ctx)
	d, err := a.Knowledge.Document(ctx, ws, in.ID)
	if err != nil {
		return none, err
	}
	after, err := ordinalAfter(in)
	if err != nil {
		return none, err
	}
	pieces, err := a.Knowledge.Pieces(ctx, ws, d.BaseID, d.ID, after, in.Limit+1)
	if err != nil {
		return none, err
	}
	out := httpx.List[view.KnowledgeChunk]{Items: []view.KnowledgeChunk{}}
	for _, p := range pieces {
		if len(out.Items) == in.Limit {
			out.HasMore = true
			out.Next = strconv.Itoa(out.Items[in.Limit-1].Index)
			break
		}
		out.Items = append(out.Items, chunkOf(d.ID, p))
	}
	return httpx.Reply[httpx.List[view.KnowledgeChunk]]{Body: out}, nil
}

func ordinalAfter(in *chunksInput) (int, error) {
	after := in.Offset - 1
	for field, text := range map[string]string{"cursor": in.Cursor, "after": strings.TrimPrefix(in.After, in.ID+".")} {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		var f domain.Faults
		f.Add(err != nil || n < 0, field, "names no chunk of this document")
		if err := f.Err(); err != nil {
			return 0, err
		}
		after = n
	}
	return after, nil
}

func chunkOf(document string, p vectors.Piece) view.KnowledgeChunk {
	c := view.KnowledgeChunk{ID: model.ChunkID(document, p.Ordinal), DocumentID: document, Index: p.Ordinal, Content: p.Text, Metadata: vectors.Own(p.Metadata)}
	for field, into := range map[string]any{vectors.FieldPage: &c.Page, vectors.FieldHeadings: &c.Headings, vectors.FieldTokens: &c.TokenCount} {
		if text, ok := p.Metadata[field]; ok {
			_ = json.Unmarshal(text, into) // the writer's own; a row that says otherwise says less
		}
	}
	return c
}

// embeddings tells how far a base is.
func embeddings(b *model.Base) view.Embeddings {
	t := b.Totals
	out := view.Embeddings{DatasetID: b.ID, TotalDocuments: t.Documents, ProcessedDocuments: t.Completed, FailedDocuments: t.Failed,
		TotalChunks: t.Chunks, EmbeddedChunks: t.Embedded, EmbeddingModel: b.EmbeddingModel, Status: string(knowledge.Completed), Progress: 1}
	switch {
	case t.Documents == 0 || t.Pending == t.Documents:
		out.Status, out.Progress = string(knowledge.Pending), 0
	case t.Pending+t.Processing > 0:
		out.Status = string(knowledge.Processing)
	case t.Completed == 0:
		out.Status = string(knowledge.Failed)
	}
	if t.Chunks > 0 {
		out.Progress = float64(t.Embedded) / float64(t.Chunks)
	}
	return out
}
