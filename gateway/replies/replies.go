// Package replies reads what models answer: the message of an answer or of a
// stream's frame, what was thought apart from what was said, and the JSON that
// was asked for out of whatever surrounds it. Models do not keep to what they
// are told, so everything here takes what it gets: whatever the input, it
// answers, and loses nothing that was said.
package replies

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"strata/domain"
)

// Message is the first choice of an answer, or what a frame adds to it.
type Message struct {
	Content   string
	Thinking  string       // under reasoning_content or reasoning, where providers put it
	ToolCalls []domain.Doc // as the model wrote them
}

// Of reads an answer in OpenAI's form: the first choice's message, or its delta.
// What is not there is empty.
func Of(body []byte) Message {
	type said struct {
		Content   json.RawMessage `json:"content"`
		Reasoning json.RawMessage `json:"reasoning_content"`
		Thinking  json.RawMessage `json:"reasoning"`
		ToolCalls []domain.Doc    `json:"tool_calls"`
	}
	var answer struct {
		Choices []struct {
			Message *said `json:"message"`
			Delta   *said `json:"delta"`
		} `json:"choices"`
	}
	// What does not fit the types is left out by the decoder; the rest is read.
	_ = json.Unmarshal(body, &answer)
	if len(answer.Choices) == 0 {
		return Message{}
	}
	s := answer.Choices[0].Message
	if s == nil {
		s = answer.Choices[0].Delta
	}
	if s == nil {
		return Message{}
	}
	m := Message{Content: Text(s.Content), Thinking: Text(s.Reasoning), ToolCalls: s.ToolCalls}
	if m.Thinking == "" {
		m.Thinking = Text(s.Thinking)
	}
	return m
}

// Text is a JSON value as a person reads it: a string as it is, null as "", and
// anything else as compact JSON. A list of parts with a "text" each, which some
// providers send as content, is those texts.
func Text(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	var s string
	if len(value) == 0 || json.Unmarshal(value, &s) == nil { // null leaves s empty
		return s
	}
	var parts []struct {
		Text *string `json:"text"`
	}
	if json.Unmarshal(value, &parts) == nil && len(parts) > 0 {
		var out strings.Builder
		for _, p := range parts {
			if p.Text == nil {
				return compact(value)
			}
			out.WriteString(*p.Text)
		}
		return out.String()
	}
	return compact(value)
}

func compact(value json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, value) != nil {
		return string(value)
	}
	return out.String()
}

// thinkTags are what models put around their thinking when it comes in their
// text.
func thinkTags() [][2]string {
	return [][2]string{{"<think>", "</think>"}, {"<thinking>", "</thinking>"}, {"<reasoning>", "</reasoning>"}}
}

// Split takes thinking out of a text. A block that does not end goes on to the
// end of the text; an end without a beginning, as comes from prompts that begin
// the block themselves, ends a block that began with the text.
func Split(text string) (thinking, content string) {
	var thoughts, rest []string
	for _, tag := range thinkTags() {
		if end := strings.Index(text, tag[1]); end >= 0 && !strings.Contains(text[:end], tag[0]) {
			thoughts = append(thoughts, text[:end])
			text = text[end+len(tag[1]):]
		}
	}
	for text != "" {
		at, tag := firstTag(text)
		if at < 0 {
			rest = append(rest, text)
			break
		}
		rest = append(rest, text[:at])
		text = text[at+len(tag[0]):]
		end := strings.Index(text, tag[1])
		if end < 0 {
			thoughts = append(thoughts, text)
			break
		}
		thoughts = append(thoughts, text[:end])
		text = text[end+len(tag[1]):]
	}
	return join(thoughts, "\n"), join(rest, "")
}

func firstTag(text string) (at int, tag [2]string) {
	at = -1
	for _, t := range thinkTags() {
		if i := strings.Index(text, t[0]); i >= 0 && (at < 0 || i < at) {
			at, tag = i, t
		}
	}
	return at, tag
}

func join(parts []string, by string) string {
	var out []string
	for _, p := range parts {
		if by != "" {
			p = strings.TrimSpace(p)
		}
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.TrimSpace(strings.Join(out, by))
}

// maxTries bounds how many places of a text are tried as the beginning of an
// object: prose may be full of braces.
const maxTries = 64

// Object finds the JSON object that a model was asked for: the whole text, the
// inside of a fence, or the first object within prose.
func Object(text string) (domain.Doc, bool) {
	if d, ok := object(text); ok {
		return d, true
	}
	for rest, tries := text, 0; tries < maxTries; tries++ {
		at := strings.IndexByte(rest, '{')
		if at < 0 {
			return nil, false
		}
		rest = rest[at:]
		var d domain.Doc
		if json.NewDecoder(strings.NewReader(rest)).Decode(&d) == nil && len(d) > 0 {
			return d, true
		}
		rest = rest[1:]
	}
	return nil, false
}

func object(text string) (domain.Doc, bool) {
	text = strings.TrimSpace(text)
	if !utf8.ValidString(text) || !strings.HasPrefix(text, "{") {
		return nil, false
	}
	var d domain.Doc
	return d, json.Unmarshal([]byte(text), &d) == nil && d != nil
}

// Field is the text of the first of some fields that has one.
func Field(d domain.Doc, names ...string) string {
	for _, name := range names {
		if s := strings.TrimSpace(Text(d[name])); s != "" {
			return s
		}
	}
	return ""
}
