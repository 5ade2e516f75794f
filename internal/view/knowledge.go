package view

import (
	"time"

	"strata/domain"
	"strata/domain/knowledge"
)

// KnowledgeBase is a knowledge base as answers show it.
type KnowledgeBase struct {
	ID             string   `json:"id" example:"kb_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name           string   `json:"name" example:"Handbook"`
	Description    string   `json:"description"`
	EmbeddingModel string   `json:"embedding_model" doc:"Embeds documents from now on." example:"strata/embed-1"`
	ChunkSize      int      `json:"chunk_size" doc:"Tokens of a piece, at most." example:"512"`
	ChunkOverlap   int      `json:"chunk_overlap" doc:"Tokens that a piece shares with the one before, at most." example:"64"`
	QueryModel     string   `json:"query_model,omitempty" doc:"Chat model that writes queries anew when a search wants that." example:"openai/gpt-4o-mini"`
	Tags           []string `json:"tags" example:"[\"hr\"]"`
	KnowledgeTotals
	VectorIndexID string    `json:"vector_index_id" doc:"Names the base where a vector index or vector store is asked for." example:"vix_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// KnowledgeTotals are what the documents of a base come to.
type KnowledgeTotals struct {
	Status        string `json:"status" enum:"empty,processing,ready,failed" doc:"processing while a document is not done; failed when all have failed." example:"ready"`
	DocumentCount int    `json:"document_count" example:"12"`
	ChunkCount    int    `json:"chunk_count" example:"340"`
	SizeBytes     int64  `json:"size_bytes" doc:"Of the files." example:"1048576"`
}

// KnowledgeBaseOf shows a base.
func KnowledgeBaseOf(b *knowledge.Base, index string, t KnowledgeTotals) KnowledgeBase {
	tags := append([]string{}, b.Tags...)
	return KnowledgeBase{ID: b.ID, Name: b.Name, Description: b.Description, EmbeddingModel: b.EmbeddingModel, ChunkSize: b.ChunkSize,
		ChunkOverlap: b.ChunkOverlap, QueryModel: b.QueryModel, Tags: tags, KnowledgeTotals: t, VectorIndexID: index, CreatedAt: b.CreatedAt, UpdatedAt: b.UpdatedAt}
}

// KnowledgeDocument is a document as answers show it.
type KnowledgeDocument struct {
	ID             string     `json:"id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	DatasetID      string     `json:"dataset_id" doc:"The knowledge base it is in." example:"kb_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name           string     `json:"name" example:"refunds.md"`
	MIMEType       string     `json:"mime_type" example:"text/markdown"`
	SizeBytes      int64      `json:"size_bytes" example:"2048"`
	Checksum       string     `json:"checksum" doc:"SHA-256 of the file, in hex."`
	Metadata       domain.Doc `json:"metadata,omitempty" doc:"Your own data; searches can filter by it."`
	Status         string     `json:"status" enum:"pending,processing,completed,failed" example:"completed"`
	Error          string     `json:"error,omitempty" doc:"Why it failed."`
	EmbeddingModel string     `json:"embedding_model" example:"strata/embed-1"`
	ChunkSize      int        `json:"chunk_size" example:"512"`
	ChunkOverlap   int        `json:"chunk_overlap" example:"64"`
	ChunkCount     int        `json:"chunk_count" doc:"Pieces, once it is cut." example:"4"`
	EmbeddedCount  int        `json:"embedded_count" doc:"Pieces that are embedded." example:"4"`
	TokenCount     int        `json:"token_count" doc:"Of all pieces, what they share counted twice." example:"1800"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	ProcessedAt    *time.Time `json:"processed_at,omitempty" doc:"When the last run ended."`
}

// KnowledgeDocumentOf shows a document.
func KnowledgeDocumentOf(d *knowledge.Document) KnowledgeDocument {
	return KnowledgeDocument{ID: d.ID, DatasetID: d.BaseID, Name: d.Name, MIMEType: d.MIMEType, SizeBytes: d.SizeBytes, Checksum: d.Checksum,
		Metadata: d.Metadata, Status: string(d.Status), Error: d.Error, EmbeddingModel: d.EmbeddingModel, ChunkSize: d.ChunkSize, ChunkOverlap: d.ChunkOverlap,
		ChunkCount: d.Chunks, EmbeddedCount: d.Embedded, TokenCount: d.Tokens, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, ProcessedAt: timeOrNil(d.ProcessedAt)}
}

// KnowledgeChunk is a piece of a document.
type KnowledgeChunk struct {
	ID         string     `json:"id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y.0"`
	DocumentID string     `json:"document_id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Index      int        `json:"index" example:"0"`
	Content    string     `json:"content" example:"A refund takes five working days."`
	TokenCount int        `json:"token_count" example:"9"`
	Page       int        `json:"page,omitempty" doc:"On which it begins, from 1." example:"3"`
	Headings   []string   `json:"headings,omitempty" doc:"Above it, from the top." example:"[\"Handbook\",\"Refunds\"]"`
	Metadata   domain.Doc `json:"metadata,omitempty" doc:"The document's."`
}

// Embeddings tells how far a knowledge base is.
type Embeddings struct {
	DatasetID          string  `json:"dataset_id" example:"kb_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Status             string  `json:"status" enum:"pending,processing,completed,failed" example:"completed"`
	TotalDocuments     int     `json:"total_documents" example:"12"`
	ProcessedDocuments int     `json:"processed_documents" example:"12"`
	FailedDocuments    int     `json:"failed_documents" example:"0"`
	TotalChunks        int     `json:"total_chunks" example:"340"`
	EmbeddedChunks     int     `json:"embedded_chunks" example:"340"`
	Progress           float64 `json:"progress" doc:"Of the pieces that are known, from 0 to 1." example:"1"`
	EmbeddingModel     string  `json:"embedding_model" example:"strata/embed-1"`
}
