package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"strata/gateway/rawjson"
	"strata/gateway/tokens"
)

// maxInputs is the most inputs of one embedding request, as at OpenAI.
const maxInputs = 2048

// EmbedRequest is an embedding request in OpenAI's wire format.
type EmbedRequest struct {
	Model    string
	User     string
	Metadata map[string]string

	object   rawjson.Object
	maxInput int64 // bound of the input tokens
	estimate int64
}

// ParseEmbed reads and checks a request body, which it keeps. Errors as ParseChat.
func ParseEmbed(body []byte) (*EmbedRequest, error) {
	object, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	r := &EmbedRequest{object: object}
	f := fieldReader{object: object}
	r.Model = f.text("model", true)
	r.User = f.text("user", false)
	f.integer("dimensions", 1, math.MaxInt32)
	if format := f.text("encoding_format", false); format != "" && format != "float" && format != "base64" {
		f.faults.Add(true, "encoding_format", "must be float or base64")
	}
	r.readInput(&f)
	r.Metadata = f.metadata()
	return r, f.faults.Err()
}

// NewEmbed makes a request to embed texts.
func NewEmbed(model string, texts []string, dimensions int) (*EmbedRequest, error) {
	body, err := json.Marshal(struct {
		Model      string   `json:"model"`
		Input      []string `json:"input"`
		Dimensions int      `json:"dimensions,omitempty"`
	}{model, texts, dimensions})
	if err != nil {
		return nil, fmt.Errorf("encode embedding request: %w", err)
	}
	return ParseEmbed(body)
}

// readInput checks the input and counts it.
func (r *EmbedRequest) readInput(f *fieldReader) {
	input := f.object.Get("input")
	if input == nil {
		f.faults.Add(true, "input", "is required")
		return
	}
	c := inputCounter{sound: true}
	if input[0] == '[' {
		rawjson.Elements(input, func(e []byte) { c.add(e, true) })
	} else {
		c.add(input, false)
	}
	f.faults.Add(!c.sound || c.inputs == 0, "input", "must be a text, an array of texts or arrays of token ids, none of them empty")
	f.faults.Add(c.inputs > maxInputs, "input", "must hold at most %d inputs", maxInputs)
	r.maxInput, r.estimate = c.bound, c.estimate
}

// inputCounter goes through an embedding input: a text, texts, token ids, or
// lists of token ids.
type inputCounter struct {
	sound           bool
	inputs          int
	bound, estimate int64 // of tokens
}

// add counts one element; listed tells whether it stands in an array.
func (c *inputCounter) add(value []byte, listed bool) {
	c.inputs++
	switch value[0] {
	case '"':
		s, _ := rawjson.String(value)
		c.sound = c.sound && s != ""
		c.bound += int64(len(value)) + 4
		c.estimate += tokens.Estimate(s)
	case '[':
		before := c.bound
		rawjson.Elements(value, c.addID)
		c.sound = c.sound && listed && c.bound > before
	default:
		c.addID(value)
		c.sound = c.sound && listed
		c.inputs = 1 // ids side by side are one input
	}
}

// addID counts one token id.
func (c *inputCounter) addID(value []byte) {
	_, err := strconv.ParseUint(string(value), 10, 32)
	c.sound = c.sound && err == nil
	c.bound++
	c.estimate++
}

func (r *EmbedRequest) bodyFor(c *candidate) []byte {
	return r.object.With(rawjson.Edit{Key: "model", Value: rawjson.Quote(c.model)})
}
