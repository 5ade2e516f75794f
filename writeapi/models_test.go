package writeapi

import (
	"testing"

	"strata/gateway"
)

func TestTypesOfModels(t *testing.T) {
	for name, want := range map[string]string{
		"text-embedding-3-small": "embedding", "mistral-embed": "embedding", "Qwen3-Embedding-8B": "embedding",
		"BAAI/bge-m3": "embedding", "multilingual-e5-large": "embedding", "gte-large-en-v1.5": "embedding",
		"all-MiniLM-L6-v2": "embedding", "all-mpnet-base-v2": "embedding", "voyage-3-large": "embedding",
		"gpt-4o": "chat", "gemma-3n-e4b-it": "chat", "claude-sonnet-4-5": "chat", "extract-1": "chat", "voyager-7b": "chat",
	} {
		if got := modelOf(gateway.Model{ID: "acme/" + name}).Type; got != want {
			t.Errorf("%s is of the type %s, want %s", name, got, want)
		}
	}
}
