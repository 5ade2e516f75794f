package httpx

import (
	"encoding/json"
	"sync"
)

// buffer is a pooled byte slice with a JSON encoder that writes to it.
type buffer struct {
	b   []byte
	enc *json.Encoder
}

// maxPooled is the largest buffer kept for reuse: one huge answer must not pin
// its memory for ever.
const maxPooled = 1 << 20

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.b = append(b.b, p...)
	return len(p), nil
}

// encode appends the JSON of v without the encoder's newline.
func (b *buffer) encode(v any) error {
	if err := b.enc.Encode(v); err != nil {
		return err
	}
	b.b = b.b[:len(b.b)-1]
	return nil
}

var buffers = sync.Pool{New: func() any {
	b := &buffer{b: make([]byte, 0, 2048)}
	b.enc = json.NewEncoder(b)
	b.enc.SetEscapeHTML(false)
	return b
}}

func getBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.b = b.b[:0]
	return b
}

func putBuffer(b *buffer) {
	if cap(b.b) <= maxPooled {
		buffers.Put(b)
	}
}

// appendJSON appends the JSON of a text or number.
func appendJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // an example or a text: both have one
		panic(err)
	}
	return append(dst, b...)
}
