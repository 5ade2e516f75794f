// Package builtin is the provider that comes with Strata and needs no network:
// the product works from the first minute, and tests have something real to
// talk to. Its models are small and say so:
//
//   - extract-1 answers by quoting: it picks the sentences of the conversation
//     (system prompt, documents, earlier turns) that share the most telling
//     words with the last question. It invents nothing, and says when it finds
//     nothing.
//   - echo repeats the last user message.
//   - embed-1 embeds text by hashing its words and character n-grams. Texts that
//     share words and word parts are near to each other; meaning it knows not.
//
// All are deterministic: the same request gives the same answer.
package builtin

// The names of the built-in models, without the provider's.
const (
	Extract = "extract-1"
	Echo    = "echo"
	Embed   = "embed-1"
)

// Names lists the built-in models.
func Names() []string { return []string{Echo, Embed, Extract} }
