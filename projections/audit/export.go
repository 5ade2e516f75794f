package audit

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"
)

// Format of a file.
type Format string

// The formats: JSON lines and comma-separated values.
const (
	JSONL Format = "jsonl"
	CSV   Format = "csv"
)

// Media is the format's media type.
func (f Format) Media() string {
	if f == CSV {
		return "text/csv; charset=utf-8"
	}
	return "application/x-ndjson"
}

// proofCell begins the last record of a CSV file.
const proofCell = "#proof"

// Scope says what a file holds of which chain.
type Scope struct {
	Chain    string            `json:"chain"`
	From     *time.Time        `json:"from,omitempty"`    // not before
	To       *time.Time        `json:"to,omitempty"`      // before
	Filters  map[string]string `json:"filters,omitempty"` // which entries were asked for
	Exported time.Time         `json:"exportedAt"`
	// Head is the hash of the chain's last entry, and Entries how many there
	// are, when the export began: the whole chain, whatever of it is here.
	Head    Hash `json:"chainHead"`
	Entries int  `json:"chainEntries"`
}

// Proof is the last line of a file. It binds the lines before it to the
// installation that wrote them.
type Proof struct {
	Scope
	// Contiguous: the lines follow one another in the chain without a gap.
	Contiguous bool   `json:"contiguous"`
	Count      int    `json:"count"`
	First      Hash   `json:"firstHash"` // of the first and the last line's entry
	Last       Hash   `json:"lastHash"`
	Lines      Hash   `json:"linesSha256"` // of the lines as JSON, whatever the format
	PublicKey  string `json:"publicKey"`   // Ed25519, base64
	Signature  string `json:"signature"`   // of this object with an empty signature
}

func (p Proof) signed() ([]byte, error) {
	p.Signature = ""
	return json.Marshal(p)
}

// Writer writes a file of entries.
type Writer struct {
	out    *bufio.Writer
	csv    *csv.Writer // nil for JSON lines
	proof  Proof
	lines  hash.Hash
	signer ed25519.PrivateKey
}

// NewWriter begins a file. Close must end it.
func NewWriter(w io.Writer, format Format, scope Scope, signer ed25519.PrivateKey) (*Writer, error) {
	out := &Writer{out: bufio.NewWriterSize(w, 64<<10), proof: Proof{Scope: scope, Contiguous: len(scope.Filters) == 0}, lines: sha256.New(), signer: signer}
	if format != CSV {
		return out, nil
	}
	out.csv = csv.NewWriter(out.out)
	return out, out.csv.Write(columns())
}

// Write adds an entry. Entries come in the order of their chain.
func (w *Writer) Write(e *Entry) error {
	l := lineOf(e)
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("audit entry %s: %w", e.ID, err)
	}
	text = append(text, '\n')
	w.lines.Write(text)
	if w.proof.Count == 0 {
		w.proof.First = e.Hash
	}
	w.proof.Count++
	w.proof.Last = e.Hash
	if w.csv != nil {
		return w.csv.Write(l.cells())
	}
	_, err = w.out.Write(text)
	return err
}

// Close signs and ends the file.
func (w *Writer) Close() error {
	w.proof.Lines = Hash(w.lines.Sum(nil))
	w.proof.PublicKey = KeyText(w.signer.Public().(ed25519.PublicKey))
	message, err := w.proof.signed()
	if err != nil {
		return err
	}
	w.proof.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(w.signer, message))
	proof, err := json.Marshal(w.proof)
	if err != nil {
		return err
	}
	if w.csv != nil {
		if err := w.csv.Write([]string{proofCell, string(proof)}); err != nil {
			return err
		}
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return err
		}
		return w.out.Flush()
	}
	if _, err := fmt.Fprintf(w.out, "{\"proof\":%s}\n", proof); err != nil {
		return err
	}
	return w.out.Flush()
}

// KeyText writes a public key.
func KeyText(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }

// ParseKey reads a public key.
func ParseKey(text string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%.60q is no Ed25519 key in base64", text)
	}
	return key, nil
}
