package knowledge_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/knowledge"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// The history most scenarios begin with.
var (
	settings = knowledge.Settings{EmbeddingModel: "strata/embed-1", ChunkSize: 512, ChunkOverlap: 64}
	created  = knowledge.BaseCreated{BaseFields: knowledge.BaseFields{Name: "Handbook", Description: "What we do.", Settings: settings, QueryModel: "openai/small", Tags: []string{"hr"}}}
	about    = knowledge.About{Name: "refunds.md", Metadata: domain.Doc{"lang": raw(`"en"`)}}
	sections = []knowledge.Section{{Headings: []string{"Refunds"}, Page: 1, Text: "A refund takes five days."}}
	received = knowledge.Received{BaseID: "kb_1", About: about, MIMEType: "text/markdown", SizeBytes: 25, Checksum: "abc", Characters: 25, Settings: settings, Subject: "doc_1"}
	kept     = knowledge.TextKept{Sections: sections, Subject: "doc_1"}
	cut      = knowledge.WasCut{Run: 1, Chunks: 2, Tokens: 9}
	piece    = knowledge.Piece{Chunk: knowledge.Chunk{Start: 0, End: 25, Page: 1, Headings: []string{"Refunds"}, Tokens: 7, Text: "A refund takes five days."}, Embedding: knowledge.Vector{0.5, -1}}
	first    = knowledge.Embedded{Run: 1, BaseID: "kb_1", First: 0, Count: 1, Of: 2, Model: "strata/embed-1",
		Contents: knowledge.Contents{About: about, Pieces: []knowledge.Piece{piece}}, Subject: "doc_1"}
	second = knowledge.Embedded{Run: 1, BaseID: "kb_1", First: 1, Count: 1, Of: 2, Model: "strata/embed-1",
		Contents: knowledge.Contents{About: about, Pieces: []knowledge.Piece{piece}}, Subject: "doc_1"}
	asked = knowledge.ReprocessingAsked{Run: 2, BaseID: "kb_1", Settings: settings}
)

func TestGolden(t *testing.T) {
	domaintest.Golden(t, slices.Concat(knowledge.Bases.Facts, knowledge.Documents.Facts),
		created, knowledge.BaseRevised(created), knowledge.BaseDeleted{},
		received, kept, cut, first, knowledge.Ready{Run: 1}, knowledge.RunFailed{Run: 1, Error: "no such model"}, asked, knowledge.DocumentDeleted{BaseID: "kb_1"})
}

func TestCreateBase(t *testing.T) {
	domaintest.Given(t, knowledge.Bases).
		When(knowledge.CreateBase{BaseFields: knowledge.BaseFields{Name: "Handbook", Description: "What we do.", Settings: knowledge.Settings{ChunkOverlap: 64}, QueryModel: "openai/small", Tags: []string{"hr"}}}).
		Then(created)
	domaintest.Given(t, knowledge.Bases, created).When(knowledge.CreateBase{BaseFields: created.BaseFields}).ThenError(domain.CodeConflict)
	domaintest.Given(t, knowledge.Bases).
		When(knowledge.CreateBase{BaseFields: knowledge.BaseFields{Name: " ", Description: strings.Repeat("x", 2001), QueryModel: strings.Repeat("x", 201), Tags: make([]string, 51), Settings: knowledge.Settings{EmbeddingModel: strings.Repeat("x", 201), ChunkSize: 5, ChunkOverlap: 4}}}).
		ThenError(domain.CodeValidation, "name", "description", "query_model", "tags", "embedding_model", "chunk_size", "chunk_overlap")
	domaintest.Given(t, knowledge.Bases).When(knowledge.CreateBase{BaseFields: knowledge.BaseFields{Name: "kb_mine"}}).ThenError(domain.CodeValidation, "name")
}

func TestReviseBase(t *testing.T) {
	want := knowledge.BaseRevised(created)
	want.Name, want.ChunkSize = "Rules", 256
	out := domaintest.Given(t, knowledge.Bases, created).
		When(knowledge.ReviseBase{Patch: domain.Doc{"name": raw(`"Rules"`), "chunk_size": raw(`256`)}}).Then(want)
	if b := out.State(); b.Name != "Rules" || b.Description != "What we do." {
		t.Errorf("state %+v", b)
	}
	domaintest.Given(t, knowledge.Bases, created).When(knowledge.ReviseBase{Patch: domain.Doc{"name": raw(`"Handbook"`), "embedding_model": raw(`null`)}}).ThenNothing()
	domaintest.Given(t, knowledge.Bases, created).When(knowledge.ReviseBase{Patch: domain.Doc{"chunk_size": raw(`64`)}}).ThenError(domain.CodeValidation, "chunk_overlap")
	domaintest.Given(t, knowledge.Bases, created, knowledge.BaseDeleted{}).When(knowledge.ReviseBase{}).ThenError(domain.CodeNotFound)
}

func TestDeleteBase(t *testing.T) {
	domaintest.Given(t, knowledge.Bases, created).When(knowledge.DeleteBase{}).Then(knowledge.BaseDeleted{})
	domaintest.Given(t, knowledge.Bases, created, knowledge.BaseDeleted{}).When(knowledge.DeleteBase{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, knowledge.Bases).When(knowledge.DeleteBase{}).ThenError(domain.CodeNotFound)
}

func TestReceive(t *testing.T) {
	cmd := knowledge.Receive{BaseID: "kb_1", About: about, MIMEType: "text/markdown", SizeBytes: 25, Checksum: "abc", Sections: sections, Settings: settings}
	out := domaintest.Given(t, knowledge.Documents).Of("doc_1").When(cmd).Then(received, kept)
	if d := out.State(); d.Status != knowledge.Pending || d.Run != 1 || d.Name != "refunds.md" || d.Erased {
		t.Errorf("state %+v", d)
	}
	domaintest.Given(t, knowledge.Documents, received).When(cmd).ThenError(domain.CodeConflict)
	domaintest.Given(t, knowledge.Documents).When(knowledge.Receive{Sections: []knowledge.Section{{Text: " "}}, Settings: settings}).
		ThenError(domain.CodeValidation, "name", "file")
	cmd.Sections = []knowledge.Section{{Text: strings.Repeat("x", knowledge.MaxText+1)}}
	domaintest.Given(t, knowledge.Documents).When(cmd).ThenError(domain.CodePayloadTooLarge)
}

// A text is the same after it was spread over events.
func TestTextIsKeptWhole(t *testing.T) {
	long := []knowledge.Section{{Text: "begin"}, {Page: 1, Text: strings.Repeat("é€😀", 100_000)}, {Page: 2, Text: "end"}}
	facts, err := knowledge.Receive{BaseID: "kb_1", About: about, Sections: long, Settings: settings}.Decide(domain.Env{}, knowledge.Documents.New("doc_1"))
	if err != nil || len(facts) < 4 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	var got []knowledge.Section
	for _, f := range facts[1:] {
		part := f.(knowledge.TextKept)
		size := 0
		for _, s := range part.Sections {
			size += len(s.Text)
		}
		if size > 256<<10+3 {
			t.Errorf("an event holds %d bytes of text", size)
		}
		got = knowledge.Collect(got, part)
	}
	if !reflect.DeepEqual(got, long) {
		t.Error("the text came back otherwise")
	}
}

func TestRun(t *testing.T) {
	pieces := []knowledge.Piece{piece}
	domaintest.Given(t, knowledge.Documents, received, kept).When(knowledge.NoteCut{Run: 1, Chunks: 2, Tokens: 9}).Then(cut)
	domaintest.Given(t, knowledge.Documents, received, kept, cut).When(knowledge.NoteCut{Run: 1, Chunks: 2, Tokens: 9}).ThenNothing()
	domaintest.Given(t, knowledge.Documents, received, kept, cut).Of("doc_1").When(knowledge.Embed{Run: 1, First: 0, Pieces: pieces}).Then(first)
	domaintest.Given(t, knowledge.Documents, received, kept, cut, first).When(knowledge.Embed{Run: 1, First: 0, Pieces: pieces}).ThenNothing()
	domaintest.Given(t, knowledge.Documents, received, kept, cut, asked).When(knowledge.Embed{Run: 1, First: 0, Pieces: pieces}).ThenNothing()
	domaintest.Given(t, knowledge.Documents, received, kept, cut, first).When(knowledge.Finish{Run: 1}).ThenError(domain.CodeConflict)
	out := domaintest.Given(t, knowledge.Documents, received, kept, cut, first, second).When(knowledge.Finish{Run: 1}).Then(knowledge.Ready{Run: 1})
	if d := out.State(); d.Status != knowledge.Completed || d.Chunks != 2 || d.Tokens != 9 || d.ProcessedAt.IsZero() {
		t.Errorf("state %+v", d)
	}
	out = domaintest.Given(t, knowledge.Documents, received, kept, cut).When(knowledge.Fail{Run: 1, Error: "no such model"}).Then(knowledge.RunFailed{Run: 1, Error: "no such model"})
	if d := out.State(); d.Status != knowledge.Failed || d.Error != "no such model" {
		t.Errorf("state %+v", d)
	}
	for name, cmd := range map[string]domain.Decider[knowledge.Document]{"embed": knowledge.Embed{Run: 1, Pieces: pieces}, "finish": knowledge.Finish{Run: 1}, "fail": knowledge.Fail{Run: 1}, "cut": knowledge.NoteCut{Run: 1}} {
		t.Run(name, func(t *testing.T) {
			domaintest.Given(t, knowledge.Documents, received, kept, cut, knowledge.DocumentDeleted{}).When(cmd).ThenNothing()
			domaintest.Given(t, knowledge.Documents, received, kept, cut, first, second, knowledge.Ready{Run: 1}).When(cmd).ThenNothing()
		})
	}
}

func TestReprocess(t *testing.T) {
	size, overlap := 128, 0
	want := asked
	want.ChunkSize, want.ChunkOverlap, want.EmbeddingModel = 128, 0, "openai/small"
	out := domaintest.Given(t, knowledge.Documents, received, kept, cut, first, second, knowledge.Ready{Run: 1}).
		When(knowledge.Reprocess{EmbeddingModel: "openai/small", ChunkSize: &size, ChunkOverlap: &overlap}).Then(want)
	if d := out.State(); d.Status != knowledge.Pending || d.Embedded != 0 || d.Run != 2 {
		t.Errorf("state %+v", d)
	}
	size = 1
	domaintest.Given(t, knowledge.Documents, received).When(knowledge.Reprocess{ChunkSize: &size}).ThenError(domain.CodeValidation, "chunk_size", "chunk_overlap")
	domaintest.Given(t, knowledge.Documents).When(knowledge.Reprocess{}).ThenError(domain.CodeNotFound)
	erased := received
	erased.About = knowledge.About{}
	domaintest.Given(t, knowledge.Documents, erased, domain.Erased{Type: kept.EventType()}).When(knowledge.Reprocess{}).ThenError(domain.CodeGone)
}

func TestDeleteDocument(t *testing.T) {
	domaintest.Given(t, knowledge.Documents, received, kept).When(knowledge.DeleteDocument{}).Then(knowledge.DocumentDeleted{BaseID: "kb_1"})
	domaintest.Given(t, knowledge.Documents, received, knowledge.DocumentDeleted{}).When(knowledge.DeleteDocument{}).ThenError(domain.CodeNotFound)
}

// What is personal is split off, and nothing else.
func TestSplitPersonal(t *testing.T) {
	open, personal, subject := first.SplitPersonal()
	got, err := json.Marshal(open)
	if err != nil || strings.Contains(string(got), "refund") || subject != "doc_1" || open.(knowledge.Embedded).Count != 1 {
		t.Errorf("open %s of %q, %v", got, subject, err)
	}
	if !reflect.DeepEqual(personal, first.Contents) {
		t.Errorf("personal %+v", personal)
	}
	open, _, _ = received.SplitPersonal()
	if got, err := json.Marshal(open); err != nil || strings.Contains(string(got), "refunds.md") {
		t.Errorf("open %s, %v", got, err)
	}
}
