//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// search looks for texts in every byte of every file below some directories: as
// they are, in base64, and inside the compressed blocks of ClickHouse's parts. It
// returns, by text, the files that hold it.
func search(t *testing.T, texts []string, dirs ...string) map[string][]string {
	t.Helper()
	forms := map[string][][]byte{}
	for _, text := range texts {
		forms[text] = append(inBase64(text), []byte(text))
	}
	found := map[string][]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil && os.IsNotExist(err) || err == nil && !d.Type().IsRegular() {
				return nil // removed meanwhile, or a socket
			}
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			for _, content := range [][]byte{b, inBlocks(b)} {
				for text, spelled := range forms {
					for _, s := range spelled {
						if bytes.Contains(content, s) {
							found[text] = append(found[text], path)
							break
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// inBase64 are the parts of a text's base64 that do not depend on what is around
// it, for each of the three ways it may be aligned.
func inBase64(text string) [][]byte {
	var out [][]byte
	for shift := range 3 {
		coded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		from, to := 0, len(coded)
		if shift > 0 {
			from = 4
		}
		out = append(out, []byte(coded[from:to-3]))
	}
	return out
}

// The methods of ClickHouse's compressed blocks.
const (
	blockPlain = 0x02
	blockLZ4   = 0x82
	blockZSTD  = 0x90
)

// inBlocks reads the compressed blocks that a file of a part consists of: a
// checksum of 16 bytes, the method, both sizes, and the data. Whatever else is in
// the file is passed over.
func inBlocks(b []byte) []byte {
	const checksum, head = 16, 9
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil
	}
	defer decoder.Close()
	var out []byte
	for len(b) > checksum+head {
		block := b[checksum:]
		size, plain := binary.LittleEndian.Uint32(block[1:]), binary.LittleEndian.Uint32(block[5:])
		if size <= head || int(size) > len(block) || plain > 1<<28 {
			b = b[1:]
			continue
		}
		data := block[head:size]
		switch block[0] {
		case blockPlain:
			out = append(out, data...)
		case blockLZ4:
			text := make([]byte, plain)
			n, err := lz4.UncompressBlock(data, text)
			if err != nil {
				b = b[1:]
				continue
			}
			out = append(out, text[:n]...)
		case blockZSTD:
			text, err := decoder.DecodeAll(data, nil)
			if err != nil {
				b = b[1:]
				continue
			}
			out = append(out, text...)
		default:
			b = b[1:]
			continue
		}
		b = block[size:]
	}
	return out
}
