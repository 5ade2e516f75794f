package snapshots

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"strata/commands"
	"strata/domain"
	"strata/streams"
)

// row is a snapshot as it is stored.
type row struct {
	stream   domain.StreamID
	revision domain.Revision
	fold     string
	event    []byte
	keys     []byte
	state    []byte
	about    string
	sum      []byte
}

// checksum covers every part but the keys, with its length.
func (r *row) checksum() []byte {
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(r.stream), fmt.Append(nil, r.revision), []byte(r.fold), r.event, r.state, []byte(r.about)} {
		fmt.Fprintf(sum, "%d ", len(part))
		_, _ = sum.Write(part) // never fails
	}
	return sum.Sum(nil)
}

// withSum appends a part's own checksum.
func withSum(part []byte) []byte {
	sum := sha256.Sum256(part)
	return slices.Concat(part, sum[:])
}

// splitSum undoes withSum. A part that is not there is sound, and stays nil.
func splitSum(b []byte) (part []byte, sound bool) {
	if b == nil {
		return nil, true
	}
	n := len(b) - sha256.Size
	if n < 0 {
		return nil, false
	}
	sum := sha256.Sum256(b[:n])
	return b[:n], bytes.Equal(sum[:], b[n:])
}

func writeAbout(about []streams.Subject) (string, error) {
	b, err := json.Marshal(about)
	return string(b), err
}

func readAbout(text string) (about []streams.Subject, err error) {
	return about, json.Unmarshal([]byte(text), &about)
}

// seal seals the state under the key of everybody it is about, one over the
// other: with any one of the keys destroyed it cannot be read.
func (s *Store) seal(snap *commands.Snapshot) (err error) {
	if s.cfg.Keys == nil {
		return nil
	}
	for _, who := range snap.About {
		if snap.State, err = s.cfg.Keys.Seal(nil, who, place(snap), snap.State); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) unseal(snap *commands.Snapshot) (err error) {
	if s.cfg.Keys == nil {
		return nil
	}
	for _, who := range slices.Backward(snap.About) {
		if snap.State, err = s.cfg.Keys.Open(who, place(snap), snap.State); err != nil {
			return err
		}
	}
	return nil
}

// place is what a sealed state is bound to: it opens nowhere else.
func place(snap *commands.Snapshot) []byte {
	return fmt.Appendf(nil, "snapshot %s %d", snap.Stream, snap.Revision)
}
