package builtin

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

type embedRequest struct {
	Input          json.RawMessage `json:"input"`
	Dimensions     *int            `json:"dimensions"`
	EncodingFormat string          `json:"encoding_format"`
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or a base64 string of little-endian float32
}

type embeddingUsage struct {
	Prompt int `json:"prompt_tokens"`
	Total  int `json:"total_tokens"`
}

func (b *Backend) embed(model string, body []byte) ([]byte, error) {
	if model != Embed {
		return nil, notFound(model, "embedding")
	}
	var req embedRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, refuse("", "the request cannot be read: "+err.Error())
	}
	dimensions := DefaultDimensions
	if req.Dimensions != nil {
		if dimensions = *req.Dimensions; dimensions < 1 || dimensions > MaxDimensions {
			return nil, refuse("dimensions", fmt.Sprintf("must be between 1 and %d", MaxDimensions))
		}
	}
	vectors, tokens, err := embedInput(req.Input, dimensions)
	if err != nil {
		return nil, err
	}
	data := make([]embedding, len(vectors))
	for i, v := range vectors {
		data[i] = embedding{Object: "embedding", Index: i, Embedding: v}
		if req.EncodingFormat == "base64" {
			data[i].Embedding = encode(v)
		}
	}
	return marshal(struct {
		Object string         `json:"object"`
		Data   []embedding    `json:"data"`
		Model  string         `json:"model"`
		Usage  embeddingUsage `json:"usage"`
	}{"list", data, "strata/" + model, embeddingUsage{tokens, tokens}})
}

// embedInput embeds what OpenAI allows as input: a string, several, an array of
// token ids, or several.
func embedInput(input json.RawMessage, dimensions int) (vectors [][]float32, tokens int, err error) {
	items := []json.RawMessage{input}
	var list []json.RawMessage
	if json.Unmarshal(input, &list) == nil && !numbers(list) {
		items = list
	}
	for _, item := range items {
		var text string
		var ids []int64
		switch {
		case json.Unmarshal(item, &text) == nil && !blank(text):
			vectors = append(vectors, Vector(text, dimensions))
			tokens += len(Tokenize(text))
		case json.Unmarshal(item, &ids) == nil && len(ids) > 0:
			vectors = append(vectors, tokenVector(ids, dimensions))
			tokens += len(ids)
		default:
			return nil, 0, refuse("input", "must be a text, an array of texts or arrays of token ids, none of them empty")
		}
	}
	return vectors, tokens, nil
}

// numbers tells whether an array is one input in token ids, not several inputs.
func numbers(list []json.RawMessage) bool {
	return len(list) > 0 && list[0][0] >= '0' && list[0][0] <= '9'
}

// encode writes a vector as OpenAI's base64 format does.
func encode(v []float32) string {
	raw := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
