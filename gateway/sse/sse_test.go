package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func readAll(r *Reader) (data []string, err error) {
	for {
		e, err := r.Next()
		if err != nil {
			return data, err
		}
		text := string(e.Data)
		if e.Name != "" {
			text = e.Name + "|" + text
		}
		data = append(data, text)
	}
}

func TestReader(t *testing.T) {
	tests := map[string]struct {
		stream string
		want   []string
	}{
		"plain":              {"data: a\n\ndata: b\n\n", []string{"a", "b"}},
		"crlf":               {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"a", "b"}},
		"cr alone":           {"data: a\r\rdata: b\r\r", []string{"a", "b"}},
		"mixed endings":      {"data: a\r\n\ndata: b\r\r\n", []string{"a", "b"}},
		"several data lines": {"data: a\ndata: b\ndata:\n\n", []string{"a\nb\n"}},
		"no space":           {"data:a\n\n", []string{"a"}},
		"two spaces":         {"data:  a\n\n", []string{" a"}},
		"comments":           {": hello\n\n:\ndata: a\n: in between\ndata: b\n\n", []string{"a\nb"}},
		"names":              {"event: x\ndata: a\n\ndata: b\n\n", []string{"x|a", "b"}},
		"name without data":  {"event: x\n\ndata: b\n\n", []string{"b"}},
		"other fields":       {"id: 1\nretry: 5\nfoo: bar\nbaz\ndata: a\n\n", []string{"a"}},
		"empty data":         {"data\n\n", []string{""}},
		"no blank line":      {"data: a\n\ndata: [DONE]", []string{"a", "[DONE]"}},
		"byte order mark":    {"\xef\xbb\xbfdata: a\n\n", []string{"a"}},
		"utf-8":              {"data: héllo 世界 🙂\n\n", []string{"héllo 世界 🙂"}},
		"nothing":            {"", nil},
	}
	for name, tt := range tests {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"data with eof": iotest.DataErrReader,
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				got, err := readAll(NewReader(wrap(strings.NewReader(tt.stream)), 0))
				if !errors.Is(err, io.EOF) || strings.Join(got, "¦") != strings.Join(tt.want, "¦") || len(got) != len(tt.want) {
					t.Errorf("got %q, %v; want %q", got, err, tt.want)
				}
			})
		}
	}
}

func TestReaderDeliversAtOnce(t *testing.T) {
	for _, ending := range []string{"\n\n", "\r\r", "\r\n\r\n"} {
		read, write := io.Pipe()
		r := NewReader(read, 0)
		go func() { _, _ = io.WriteString(write, "data: a"+ending) }()
		if e, err := r.Next(); err != nil || string(e.Data) != "a" {
			t.Errorf("%q: %q, %v", ending, e.Data, err)
		}
		if err := write.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReaderBounds(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("data: "), neverEnding('x'))
	if _, err := NewReader(endless, 10_000).Next(); !errors.Is(err, ErrTooLong) {
		t.Errorf("an endless line: %v", err)
	}
	lines := strings.NewReader(strings.Repeat("data: xxxxxxxx\n", 2_000))
	if _, err := NewReader(lines, 10_000).Next(); !errors.Is(err, ErrTooLong) {
		t.Errorf("endless lines: %v", err)
	}
}

func TestReaderPassesErrors(t *testing.T) {
	broken := errors.New("connection reset")
	r := NewReader(io.MultiReader(strings.NewReader("data: a\n\ndata: half"), iotest.ErrReader(broken)), 0)
	got, err := readAll(r)
	if len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("got %q, %v", got, err)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// FuzzReader: however the stream is cut into reads, the events are the same,
// and what is written can be read back.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "data: a\r\ndata:b\r\r\n", ":c\n\nevent: x\rdata:\xff\n\n", "\xef\xbb\xbfdata\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, err1 := readAll(NewReader(bytes.NewReader(stream), 256))
		bytewise, err2 := readAll(NewReader(iotest.OneByteReader(bytes.NewReader(stream)), 256))
		if errors.Is(err1, ErrTooLong) || errors.Is(err2, ErrTooLong) {
			return // where a line is found to be too long depends on the reads
		}
		if strings.Join(whole, "\x00") != strings.Join(bytewise, "\x00") {
			t.Fatalf("%q read whole %q, byte by byte %q", stream, whole, bytewise)
		}
		if bytes.IndexByte(stream, '\r') >= 0 || len(stream) == 0 || len(stream) > 100 {
			return
		}
		back, err := NewReader(bytes.NewReader(AppendData(nil, stream)), 4096).Next()
		if err != nil || !bytes.Equal(back.Data, stream) {
			t.Fatalf("wrote %q, read %q (%v)", stream, back.Data, err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	frame := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}` + "\n\n"
	stream := strings.Repeat(frame, 1000)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if got, err := drain(NewReader(strings.NewReader(stream), 0)); got != 1000 || !errors.Is(err, io.EOF) {
			b.Fatal(got, err)
		}
	}
}

func drain(r *Reader) (n int, err error) {
	for ; ; n++ {
		if _, err := r.Next(); err != nil {
			return n, err
		}
	}
}
