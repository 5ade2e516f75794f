package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Fault is the first thing in a file that is not as it was written.
type Fault struct {
	Line   int // from 1; 0 for the file as a whole
	ID     string
	Reason string
}

// Error implements error.
func (f *Fault) Error() string {
	switch {
	case f.ID != "":
		return fmt.Sprintf("line %d (%s): %s", f.Line, f.ID, f.Reason)
	case f.Line > 0:
		return fmt.Sprintf("line %d: %s", f.Line, f.Reason)
	}
	return f.Reason
}

// maxLine bounds a line of a file.
const maxLine = 1 << 20

// Check reads a file of either format and checks every hash, the links between
// the lines where they follow one another, and the proof. key, when not nil, is
// the one that must have signed it; otherwise the one in the file is taken,
// which proves only that the file was not changed by somebody without it.
//
// Errors: *Fault for the first thing that is wrong.
func Check(r io.Reader, key ed25519.PublicKey) (*Proof, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	begin, err := in.Peek(1)
	if err != nil {
		return nil, &Fault{Reason: "the file is empty"}
	}
	c := checker{lines: sha256.New()}
	if begin[0] == '{' {
		err = c.jsonl(in)
	} else {
		err = c.csv(in)
	}
	if err != nil {
		return nil, err
	}
	return c.proof, c.verify(key)
}

type checker struct {
	lines hash.Hash
	count int
	chain string
	first Hash
	last  Hash
	gap   int    // line before which a link is missing; 0 for none
	gapID string // of its entry
	proof *Proof
}

func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (c *checker) jsonl(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if c.proof != nil {
			return &Fault{Line: n, Reason: "something follows the proof"}
		}
		text := lines.Bytes()
		if bytes.HasPrefix(text, []byte(`{"proof":`)) {
			var last struct {
				Proof *Proof `json:"proof"`
			}
			if err := strict(text, &last); err != nil || last.Proof == nil {
				return &Fault{Line: n, Reason: "the proof cannot be read"}
			}
			c.proof = last.Proof
			continue
		}
		var l line
		if err := strict(text, &l); err != nil {
			return &Fault{Line: n, Reason: fmt.Sprintf("no entry: %v", err)}
		}
		if err := c.entry(n, &l); err != nil {
			return err
		}
		if again, err := json.Marshal(l); err != nil || !bytes.Equal(again, text) {
			return &Fault{Line: n, ID: l.ID, Reason: "is not spelled as it was written"}
		}
	}
	if err := lines.Err(); err != nil {
		return &Fault{Reason: err.Error()}
	}
	return nil
}

func (c *checker) csv(in io.Reader) error {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord, rows.ReuseRecord = -1, true
	want := columns()
	for head := true; ; head = false {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Fault{Reason: err.Error()}
		}
		n, _ := rows.FieldPos(0)
		switch {
		case c.proof != nil:
			return &Fault{Line: n, Reason: "something follows the proof"}
		case head:
			if fmt.Sprint(cells) != fmt.Sprint(want) {
				return &Fault{Line: n, Reason: "these are not the columns of an audit file"}
			}
		case len(cells) == 2 && cells[0] == proofCell:
			c.proof = &Proof{}
			if err := strict([]byte(cells[1]), c.proof); err != nil {
				return &Fault{Line: n, Reason: "the proof cannot be read"}
			}
		case len(cells) != len(want):
			return &Fault{Line: n, Reason: fmt.Sprintf("%d cells, not %d", len(cells), len(want))}
		default:
			l, err := lineOfCells(cells)
			if err != nil {
				return &Fault{Line: n, ID: cells[0], Reason: err.Error()}
			}
			if err := c.entry(n, &l); err != nil {
				return err
			}
		}
	}
}

// entry checks one line and its link to the one before.
func (c *checker) entry(n int, l *line) error {
	e, err := l.entry()
	if err != nil {
		return &Fault{Line: n, ID: l.ID, Reason: err.Error()}
	}
	if e.Digest() != e.Hash {
		return &Fault{Line: n, ID: e.ID, Reason: "was altered: its hash does not fit its fields"}
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	c.lines.Write(append(text, '\n'))
	if c.count == 0 {
		c.first, c.chain = e.Hash, e.Chain()
	}
	if e.Chain() != c.chain {
		return &Fault{Line: n, ID: e.ID, Reason: "belongs to another chain"}
	}
	if c.count > 0 && e.Prev != c.last && c.gap == 0 {
		c.gap, c.gapID = n, e.ID
	}
	c.count++
	c.last = e.Hash
	return nil
}

// verify compares what was read with the proof.
func (c *checker) verify(key ed25519.PublicKey) error {
	p := c.proof
	if p == nil {
		return &Fault{Reason: "the file has no proof at its end: it was cut off"}
	}
	if c.gap > 0 && p.Contiguous {
		return &Fault{Line: c.gap, ID: c.gapID, Reason: "does not follow the line before it: lines are missing or were moved"}
	}
	if c.count != p.Count || c.count > 0 && c.chain != p.Chain || c.first != p.First || c.last != p.Last || Hash(c.lines.Sum(nil)) != p.Lines {
		return &Fault{Reason: fmt.Sprintf("the lines are not those that were signed: %d of %d entries are here", c.count, p.Count)}
	}
	own, err := ParseKey(p.PublicKey)
	if err != nil {
		return &Fault{Reason: "the proof names no key"}
	}
	if key == nil {
		key = own
	}
	if !key.Equal(own) {
		return &Fault{Reason: "the file was signed with another key: " + p.PublicKey}
	}
	message, err := p.signed()
	if err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(p.Signature)
	if err != nil || !ed25519.Verify(key, message, signature) {
		return &Fault{Reason: "the signature does not fit: the proof was changed"}
	}
	return nil
}
