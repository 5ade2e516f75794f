package httpx

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressFrom is the size from which compressing pays: smaller answers fit
// into one packet anyway.
const compressFrom = 1400

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil { // the level is a valid constant
		panic(err)
	}
	return w
}}

// acceptsGzip tells whether the client takes gzip; "gzip;q=0" refuses it.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
				weight, err := strconv.ParseFloat(q, 64)
				return !ok || (err == nil && weight > 0)
			}
		}
	}
	return false
}

// sendCompressed writes a whole answer as gzip.
func (x *exchange) sendCompressed(status int, body []byte) {
	buf := getBuffer()
	defer putBuffer(buf)
	gz := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(gz)
	gz.Reset(buf)
	_, err := gz.Write(body)
	if err == nil {
		err = gz.Close()
	}
	if err != nil { // a buffer in memory takes every write
		x.err = fmt.Errorf("compress the answer: %w", err)
	}
	h := x.w.Header()
	h.Set("Content-Encoding", "gzip")
	h.Add("Vary", "Accept-Encoding")
	h.Set("Content-Length", strconv.Itoa(len(buf.b)))
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") && x.op != nil && x.op.raw != nil {
		h.Set("ETag", "W/"+tag) // other bytes than the plain answer's
	}
	x.WriteHeader(status)
	if _, err := x.Write(buf.b); err != nil && x.err == nil {
		x.err = fmt.Errorf("write the answer: %w", err)
	}
}

// compressing runs a raw handler whose answer may be compressed on the way.
func compressing(x *exchange, r *http.Request, h http.Handler) error {
	if !acceptsGzip(r) || r.Method == http.MethodHead || r.Header.Get("Range") != "" {
		h.ServeHTTP(x, r)
		return nil
	}
	w := &gzipResponse{exchange: x}
	h.ServeHTTP(w, r)
	return w.close()
}

// gzipResponse decides at the first byte whether to compress: text of unknown
// length or long enough is, what is already encoded or small is not.
type gzipResponse struct {
	*exchange
	gz *gzip.Writer
}

// WriteHeader implements http.ResponseWriter.
func (g *gzipResponse) WriteHeader(status int) {
	if g.wrote || status < http.StatusOK {
		g.exchange.WriteHeader(status)
		return
	}
	h := g.Header()
	size, err := strconv.Atoi(h.Get("Content-Length"))
	long := err != nil || size >= compressFrom
	if status == http.StatusOK && long && h.Get("Content-Encoding") == "" && compressible(h.Get("Content-Type")) {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		h.Del("Content-Length")
		g.gz = gzipWriters.Get().(*gzip.Writer)
		g.gz.Reset(g.exchange)
	}
	g.exchange.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (g *gzipResponse) Write(b []byte) (int, error) {
	if !g.wrote {
		if g.Header().Get("Content-Type") == "" {
			g.Header().Set("Content-Type", http.DetectContentType(b))
		}
		g.WriteHeader(http.StatusOK)
	}
	if g.gz != nil {
		return g.gz.Write(b)
	}
	return g.exchange.Write(b)
}

// Flush implements http.Flusher.
func (g *gzipResponse) Flush() {
	if g.gz != nil && g.gz.Flush() != nil {
		return // the connection is gone; the next write tells the handler
	}
	g.exchange.Flush()
}

func (g *gzipResponse) close() error {
	if g.gz == nil {
		return nil
	}
	err := g.gz.Close()
	gzipWriters.Put(g.gz)
	g.gz = nil
	if err != nil {
		return fmt.Errorf("compress the answer: %w", err)
	}
	return nil
}

func compressible(content string) bool {
	media, _, _ := strings.Cut(content, ";")
	return strings.HasPrefix(media, "text/") && media != "text/event-stream" ||
		media == "application/json" || media == "application/javascript" || media == "image/svg+xml" ||
		strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}
