//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

const handbook = "# Handbook\n\nWhat everybody here should know.\n\n## Refunds\n\nA refund takes five working days. Nobody pays for it.\n\n" +
	"## Opening hours\n\nThe shop opens at nine in the morning. On Sundays it is closed.\n"

// upload sends files as a form; a name without a dot is a field.
func (c tenant) upload(t *testing.T, status int, path string, parts ...string) *kit.Answer {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		var err error
		if name := parts[i]; strings.Contains(name, ".") {
			w, fault := form.CreateFormFile("files", name)
			if err = fault; err == nil {
				_, err = w.Write([]byte(parts[i+1]))
			}
		} else {
			err = form.WriteField(name, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return c.Do(t, status, http.MethodPost, path, kit.Raw(b.Bytes()), "Content-Type", form.FormDataContentType())
}

// processed waits until a document is done.
func (c tenant) processed(t *testing.T, id, status string) *kit.Answer {
	t.Helper()
	var last *kit.Answer
	kit.Eventually(t, 30*time.Second, "document "+id+" is "+status, func() error {
		last = c.Get(t, "/v1/knowledge-documents/"+id)
		if got := last.Str("status"); got != status {
			return fmt.Errorf("it is %s", last.Short())
		}
		return nil
	})
	return last
}

// stocked is a knowledge base with the handbook in it.
func (c tenant) stocked(t *testing.T) (base, document string) {
	t.Helper()
	base = c.Create(t, "/v1/knowledge-bases", object{"name": "Handbook", "chunk_size": 48, "chunk_overlap": 8, "tags": []string{"hr"}}).Str("id")
	taken := c.upload(t, http.StatusAccepted, "/v1/knowledge-bases/"+base+"/documents", "handbook.md", handbook, "metadata", `{"lang":"en","year":2026}`)
	document = taken.Want("accepted", 1).Str("documents.0.id")
	c.processed(t, document, "completed")
	return base, document
}

func TestKnowledgeBases(t *testing.T) {
	c := onShared(t)
	made := c.Create(t, "/v1/knowledge-bases", object{"name": "Rules", "chunk_size": 64, "chunk_overlap": 8})
	made.Want("status", "empty", "embedding_model", "strata/embed-1", "chunk_size", 64, "document_count", 0)
	id := made.Str("id")
	c.Do(t, http.StatusConflict, "POST", "/v1/knowledge-bases", object{"name": "rules"})
	c.Do(t, http.StatusBadRequest, "POST", "/v1/knowledge-bases", object{"chunk_size": 5}).Want("code", "VALIDATION_ERROR")
	c.Get(t, "/api/v1/datasets/"+id, made.After()...).Want("data.name", "Rules", "data.chunkSize", 64, "data.vectorIndexId", made.Str("vector_index_id"))
	c.Get(t, "/v1/knowledge-bases/"+made.Str("vector_index_id")).Want("id", id)
	up := c.Put(t, "/api/v1/datasets/"+id, object{"name": "House rules", "tags": []string{"a"}})
	up.Want("data.name", "House rules", "data.chunkSize", 64, "data.status", "empty")
	c.Get(t, "/v1/knowledge-bases?search=house", up.After()...).Want("count", 1, "data.0.tags.0", "a")
	c.Get(t, "/v1/knowledge-bases?status=ready").Want("count", 0)
	c.Get(t, "/v1/knowledge-bases/"+id+"?at=0").Want("name", "Rules")
	c.Create(t, "/v1/knowledge-bases", object{"name": "Rules"}) // the name is free again
	gone := c.Delete(t, "/v1/knowledge-bases/"+id).Want("id", id)
	c.Do(t, http.StatusNotFound, "GET", "/v1/knowledge-bases/"+id, nil, gone.After()...)
	other := onShared(t)
	other.Do(t, http.StatusNotFound, "GET", "/v1/knowledge-bases/"+c.Get(t, "/v1/knowledge-bases").Str("data.0.id"), nil)
}

func TestKnowledgeIsFound(t *testing.T) {
	c := onShared(t)
	base, document := c.stocked(t)
	c.Get(t, "/v1/knowledge-bases/"+base).Want("status", "ready", "document_count", 1)
	c.Get(t, "/api/v1/datasets/"+base+"/embeddings").Want("data.status", "completed", "data.progress", 1)
	chunks := c.Get(t, "/v1/knowledge-documents/"+document+"/chunks?limit=1").Want("count", 1, "has_more", true, "data.0.index", 0)
	c.Get(t, "/v1/knowledge-documents/"+document+"/chunks?after="+chunks.Str("data.0.id")).Want("data.0.index", 1)

	found := c.Post(t, "/api/v1/datasets/"+base+"/search", object{"query": "How long does a refund take?", "topK": 1})
	found.Want("data.total", 1, "data.results.0.documentId", document, "data.results.0.headings.1", "Refunds", "data.results.0.metadata.lang", "en")
	c.Post(t, "/v1/knowledge-bases/"+base+"/search", object{"query": "refund", "filter": object{"lang": "de"}}).Want("total", 0)
	c.Post(t, "/v1/knowledge-bases/"+base+"/search", object{"query": "refund", "mode": "keyword"}).Want("total", 1)
	c.Post(t, "/v1/knowledge-bases/search", object{"query": "nine in the morning", "dataset_ids": []string{"Handbook"}, "top_k": 1}).Want("results.0.headings.1", "Opening hours")
	c.Do(t, http.StatusBadRequest, "POST", "/v1/knowledge-bases/"+base+"/search", object{"query": "x", "filter": object{"type": "like", "key": "a"}}).Want("details.0.field", "filter.type")
	onShared(t).Do(t, http.StatusNotFound, "POST", "/v1/knowledge-bases/"+base+"/search", object{"query": "refund"})

	t.Run("in OpenAI's format", func(t *testing.T) {
		path := "/openai/v1/vector_stores/" + base + "/search"
		page := c.Post(t, path, object{"query": "How long does a refund take?", "max_num_results": 2, "filters": object{"type": "and", "filters": []object{
			{"type": "eq", "key": "lang", "value": "en"}, {"type": "gte", "key": "year", "value": 2026}}}})
		page.Want("object", "vector_store.search_results.page", "search_query.0", "How long does a refund take?", "has_more", false,
			"data.0.file_id", document, "data.0.filename", "handbook.md", "data.0.attributes.lang", "en", "data.0.content.0.type", "text")
		if next, ok := page.Lookup("next_page"); !ok || next != nil || !strings.Contains(page.Str("data.0.content.0.text"), "five working days") {
			t.Errorf("page %s", page.Short())
		}
		index := c.Get(t, "/v1/knowledge-bases/"+base).Str("vector_index_id")
		c.Post(t, "/openai/v1/vector_stores/"+index+"/search", object{"query": []string{"opening", "Sundays"}, "ranking_options": object{"ranker": "none", "score_threshold": 0}}).
			Want("search_query.1", "Sundays")
		c.Post(t, path, object{"query": "refund", "ranking_options": object{"score_threshold": 1}}).Want("data", []any{})
		c.Post(t, path, object{"query": "refund", "rewrite_query": true}).Want("search_query.0", "refund") // no model is set
		c.Do(t, http.StatusBadRequest, "POST", path, object{"query": 7, "max_num_results": 51}).Want("error.param", "max_num_results")
		c.Do(t, http.StatusNotFound, "POST", "/openai/v1/vector_stores/vs_none/search", object{"query": "x"}).Want("error.type", "invalid_request_error")
	})
}

// An upload tells what it cannot read, takes the rest, and the text of a request.
func TestKnowledgeUploads(t *testing.T) {
	c := onShared(t)
	base := c.Create(t, "/v1/knowledge-bases", object{"name": "Mixed"}).Str("id")
	taken := c.upload(t, http.StatusAccepted, "/api/v1/datasets/"+base+"/upload",
		"prices.csv", "item,price\nTea,3\nCoffee,4\n", "page.html", "<html><body><h1>Team</h1><p>Ada leads it.</p><script>x()</script></body></html>", "broken.pdf", "no PDF", "chunk_size", "32", "chunk_overlap", "4")
	taken.Want("data.accepted", 2, "data.rejected.0.name", "broken.pdf", "data.documents.0.chunkSize", 32, "data.documents.1.mimeType", "text/html")
	text := c.Do(t, http.StatusAccepted, "POST", "/v1/knowledge-bases/"+base+"/texts", object{"name": "note", "content": "The code of the door is 4711.", "metadata": object{"secret": true}})
	for _, id := range append(taken.Strings("data.documents", "id"), text.Str("id")) {
		c.processed(t, id, "completed")
	}
	c.Get(t, "/v1/knowledge-bases/"+base+"/documents?status=completed").Want("count", 3)
	c.Post(t, "/v1/knowledge-bases/"+base+"/search", object{"query": "price of coffee", "top_k": 1}).Want("results.0.document_name", "prices.csv")
	c.Post(t, "/v1/knowledge-bases/"+base+"/search", object{"query": "code of the door", "filter": object{"secret": true}}).Want("total", 1, "results.0.document_name", "note")
	c.upload(t, http.StatusBadRequest, "/v1/knowledge-bases/"+base+"/documents", "broken.pdf", "no PDF").Want("details.0.field", "files.broken.pdf")
	c.Do(t, http.StatusBadRequest, "POST", "/v1/knowledge-bases/"+base+"/texts", object{"name": "x", "content": "y", "metadata": object{"_page": 1}}).Want("details.0.field", "metadata._page")
	c.upload(t, http.StatusNotFound, "/v1/knowledge-bases/kb_none/documents", "a.txt", "text")
}

func TestKnowledgeIsProcessedAgain(t *testing.T) {
	c := onShared(t)
	base, document := c.stocked(t)
	before := c.Get(t, "/v1/knowledge-documents/"+document).Int("chunk_count")
	c.Do(t, http.StatusAccepted, "POST", "/v1/knowledge-documents/"+document+"/reprocess", object{"chunk_size": 16, "chunk_overlap": 0}).Want("status", "pending", "chunk_size", 16)
	after := c.processed(t, document, "completed").Int("chunk_count")
	if after <= before {
		t.Errorf("%d chunks became %d", before, after)
	}
	pieces := c.Get(t, "/v1/knowledge-documents/"+document+"/chunks?limit=100").Want("count", after)
	for i, tokens := range pieces.List("data") {
		if n, _ := tokens.(object)["token_count"].(json.Number).Int64(); n > 16 {
			t.Errorf("chunk %d has %d tokens", i, n)
		}
	}
	c.Do(t, http.StatusAccepted, "POST", "/api/v1/knowledge/documents/"+document+"/reprocess", object{"embeddingModel": "nobody/knows"})
	if text := c.processed(t, document, "failed").Str("error"); !strings.Contains(text, "nobody") {
		t.Errorf("it failed, saying %q", text)
	}
	c.Get(t, "/v1/knowledge-bases/"+base).Want("status", "failed")
	c.Post(t, "/v1/knowledge-bases/"+base+"/search", object{"query": "refund"}).Want("total", 0)

	gone := c.Delete(t, "/v1/knowledge-documents/"+document)
	c.Do(t, http.StatusNotFound, "GET", "/v1/knowledge-documents/"+document, nil, gone.After()...)
	c.Get(t, "/v1/knowledge-bases/"+base).Want("status", "empty")
}

// The documents of a base that is deleted go with it.
func TestKnowledgeBaseTakesItsDocumentsAlong(t *testing.T) {
	c := onShared(t)
	base, document := c.stocked(t)
	gone := c.Delete(t, "/v1/knowledge-bases/"+base)
	c.Do(t, http.StatusNotFound, "GET", "/v1/knowledge-documents/"+document, nil, gone.After()...)
	kit.Eventually(t, 20*time.Second, "the document is deleted", func() error {
		types := c.Get(t, "/api/v1/events?limit=100").Strings("data", "type")
		if !slices.Contains(types, "knowledge_document.deleted.v1") {
			return fmt.Errorf("events %v", types)
		}
		return nil
	})
}

func TestRAG(t *testing.T) {
	c := onShared(t)
	base, document := c.stocked(t)
	made := c.Create(t, "/v1/rag-endpoints", object{"name": "helpdesk", "dataset_ids": []string{base}, "model": "strata/extract-1", "top_k": 3})
	c.Get(t, "/api/v1/knowledge/rag-endpoints/helpdesk", made.After()...).Want("data.topK", 3, "data.enabled", true)
	const path = "/v1/rag/helpdesk/generate"

	answer := c.Post(t, path, object{"query": "How many days does a refund take?"})
	answer.Want("citations.0.document_id", document, "citations.0.document_name", "handbook.md", "citations.0.headings.1", "Refunds",
		"citations.0.quote", "A refund takes five working days.", "usage.model", "strata/extract-1")
	if text := answer.Str("answer"); !strings.Contains(text, "five working days") || answer.Int("usage.total_tokens") == 0 {
		t.Errorf("answer %s", answer.Short())
	}
	c.Post(t, path, object{"query": "refund", "filter": object{"lang": "de"}}).
		Want("citations", []any{}, "usage.total_tokens", 0, "answer", "I found nothing about that in the knowledge bases.")
	c.Do(t, http.StatusBadRequest, "POST", path, object{}).Want("details.0.field", "query")
	c.Do(t, http.StatusNotFound, "POST", "/v1/rag/nobody/generate", object{"query": "x"})
	onShared(t).Do(t, http.StatusNotFound, "POST", path, object{"query": "x"})

	t.Run("streamed", func(t *testing.T) {
		res, err := c.Send(t.Context(), http.MethodPost, path, object{"query": "When does the shop open?", "stream": true})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body bytes.Buffer
		if _, err := body.ReadFrom(res.Body); err != nil || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
			t.Fatal(res.Header, err)
		}
		var text string
		var last object
		for line := range strings.SplitSeq(body.String(), "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				last = object{}
				if err := json.Unmarshal([]byte(data), &last); err != nil {
					t.Fatal(err)
				}
				part, _ := last["content"].(string)
				text += part
			}
		}
		cited, _ := last["citations"].([]any)
		if !strings.Contains(text, "nine in the morning") || last["type"] != "end" || len(cited) == 0 {
			t.Errorf("%q, then %v", text, last)
		}
	})

	t.Run("in a session", func(t *testing.T) {
		c.Create(t, "/v1/sessions", object{"uid": "talk-1", "app_name": "helpdesk"})
		up := c.provide(t, "writer")
		up.Always(gatewaytest.Answer("Five working days [1], see [7]."))
		c.Post(t, path, object{"query": "How long does a refund take?", "model": "writer/m", "session_id": "talk-1"}).Want("citations.0.index", 1)
		second := c.Post(t, path, object{"query": "And on Sundays?", "model": "writer/m", "session_id": "talk-1"})
		c.Get(t, "/v1/sessions/talk-1/events", second.After()...).Want("count", 4, "data.0.author", "user", "data.1.author", "rag:helpdesk", "data.1.content.citations.0.document_id", document)

		sent := up.Requests()
		messages, _ := sent[len(sent)-1].JSON["messages"].([]any)
		if len(messages) != 4 { // sources, two of before, the question
			t.Errorf("the model was shown %v", messages)
		}
		c.Do(t, http.StatusNotFound, "POST", path, object{"query": "x", "session_id": "nobody"})
	})

	off := c.Put(t, "/v1/rag-endpoints/helpdesk", object{"enabled": false})
	c.Do(t, http.StatusConflict, "POST", path, object{"query": "x"}, off.After()...)
}
