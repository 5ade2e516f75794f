// Package tokens counts without a vocabulary. It answers two different
// questions, and never mixes them up:
//
//   - Bound: how many tokens can this request be at most? A reservation must
//     not be exceeded, so this is safe and generous.
//   - Estimate: how many tokens is this probably? For answers of providers that
//     give no usage. It is marked as an estimate wherever it is stored.
//
// Real vocabularies were weighed and left out: they add over ten megabytes to
// the program, differ per model, and only matter when a provider stays silent.
package tokens

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"strata/gateway/rawjson"
)

// MediaBound is the most tokens taken for one image or other medium that is
// referred to by address, or given inline and longer than that. The dearest
// known counting of one image comes to about 48,000.
const MediaBound = 50_000

// templateBound covers the tokens a provider adds around a conversation to
// start the answer.
const templateBound = 16

// Bound returns the most input tokens a chat request body can be. A byte-level
// BPE token stands for at least one byte of text, and text written as JSON is
// never shorter than the text itself, so the length of the body bounds the
// count; the JSON around each message ({"role":"user","content":""}) exceeds
// the few tokens a chat template puts in its place. Media break that rule both
// ways and are counted apart.
func Bound(body, messages []byte) int64 {
	bound := int64(len(body)) + templateBound
	if !bytes.Contains(messages, []byte(`"type"`)) {
		return bound
	}
	rawjson.Elements(messages, func(message []byte) {
		eachPart(message, func(kind string, part, data []byte) {
			switch kind {
			case "text", "refusal", "input_text", "input_audio":
				// Audio is given inline and counts far fewer tokens than bytes.
			default:
				if len(data) > MediaBound { // inline: bounded, however many bytes
					bound -= int64(len(data))
				}
				bound += MediaBound
			}
		})
	})
	return max(bound, templateBound)
}

// eachPart visits the typed parts of a message's content. data is the longest
// text the part holds below its top level: the inline medium.
func eachPart(message []byte, visit func(kind string, part, data []byte)) {
	rawjson.Fields(message, func(key, value []byte) {
		if string(key) != "content" {
			return
		}
		rawjson.Elements(value, func(part []byte) {
			var kind string
			var data []byte
			rawjson.Fields(part, func(key, value []byte) {
				if string(key) == "type" {
					kind, _ = rawjson.String(value)
					return
				}
				rawjson.Fields(value, func(_, inner []byte) {
					if len(inner) > len(data) {
						data = inner
					}
				})
			})
			visit(kind, part, data)
		})
	})
}

// Estimates for what has no text.
const (
	perMessage   = 4   // role and separators
	replyPrimer  = 3   // the start of the answer
	perMedium    = 765 // an image of 1024x1024 in high detail
	bytesPerJSON = 3   // tool definitions and the like
)

// EstimateChat returns the probable input tokens of a chat request.
func EstimateChat(messages, tools []byte) int64 {
	total := int64(replyPrimer + len(tools)/bytesPerJSON)
	rawjson.Elements(messages, func(message []byte) {
		total += perMessage
		rawjson.Fields(message, func(key, value []byte) {
			if s, ok := rawjson.String(value); ok && string(key) != "role" {
				total += Estimate(s)
			} else if string(key) == "tool_calls" {
				total += int64(len(value) / bytesPerJSON)
			}
		})
		eachPart(message, func(kind string, part, _ []byte) {
			if kind != "text" {
				total += perMedium
				return
			}
			rawjson.Fields(part, func(key, value []byte) {
				if s, ok := rawjson.String(value); ok && string(key) == "text" {
					total += Estimate(s)
				}
			})
		})
	})
	return total
}

// lettersPerToken is how many letters of an alphabet one token holds of a long
// word; common words are one token whatever their length up to this.
const lettersPerToken = 7

// Estimate returns the probable number of tokens of a text, by the habits of
// the common vocabularies: a short word with the space before it is one token,
// a long one several; every three digits, every two marks in a row and every
// ideograph are one; letters of other scripts are about two to a token. On
// ordinary prose it is within about a fifth of the real count.
func Estimate(text string) int64 {
	var total, ascii, other, digits, marks int64
	flush := func() {
		total += (ascii+lettersPerToken-1)/lettersPerToken + (other+1)/2 + (digits+2)/3 + (marks+1)/2
		ascii, other, digits, marks = 0, 0, 0, 0
	}
	space := false
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && (r|0x20 >= 'a' && r|0x20 <= 'z'):
			if digits+marks > 0 {
				flush()
			}
			ascii++
		case r >= '0' && r <= '9':
			if ascii+other+marks > 0 {
				flush()
			}
			digits++
		case r == ' ':
			flush()
		case r == '\n' || r == '\t' || r == '\r':
			flush()
			if !space { // a run of line breaks and tabs is one token
				total++
			}
		case ideograph(r):
			flush()
			total++
		case unicode.IsLetter(r) || unicode.IsMark(r):
			if digits+marks > 0 {
				flush()
			}
			other++
		default:
			if ascii+other+digits > 0 {
				flush()
			}
			marks++
		}
		space = r == '\n' || r == '\t' || r == '\r'
	}
	flush()
	return total
}

func ideograph(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}
