package chserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// transcode rewrites Native blocks of revision 0 as blocks of a newer
// revision, which adds a header to each block and a byte to each column.
func transcode(native []byte, revision uint64) ([]byte, error) {
	if revision == 0 || len(native) == 0 {
		return native, nil
	}
	reader := chproto.NewReader(bytes.NewReader(native))
	var out chproto.Buffer
	out.Buf = make([]byte, 0, len(native)+len(native)/8+64)
	for {
		block := proto.NewBlock()
		if err := block.Decode(reader, 0); err != nil {
			if errors.Is(err, io.EOF) && block.Columns == nil { // between two blocks, not within one
				return out.Buf, nil
			}
			return nil, fmt.Errorf("decode result block: %w", err)
		}
		if block.Rows() == 0 {
			encodeHead(&out, block, revision)
			continue
		}
		if err := block.Encode(&out, revision); err != nil {
			return nil, fmt.Errorf("encode result block: %w", err)
		}
	}
}

// compressedFrame is how much of an answer goes into one compressed frame.
const compressedFrame = 1 << 20

// pack puts bytes into ClickHouse's compressed frames (LZ4).
func pack(plain []byte) ([]byte, error) {
	w := compress.NewWriter(0, compress.LZ4)
	var out []byte
	for len(plain) > 0 {
		n := min(len(plain), compressedFrame)
		if err := w.Compress(plain[:n]); err != nil {
			return nil, fmt.Errorf("compress the answer: %w", err)
		}
		out, plain = append(out, w.Data...), plain[n:]
	}
	return out, nil
}

// encodeHead writes a block without rows: names and types only. (The driver
// writes a state prefix even then, which no reader expects.)
func encodeHead(out *chproto.Buffer, block *proto.Block, revision uint64) {
	const infoOverflows, infoBucket, infoEnd = 1, 2, 0
	out.PutUVarInt(infoOverflows)
	out.PutBool(false)
	out.PutUVarInt(infoBucket)
	out.PutInt32(-1)
	out.PutUVarInt(infoEnd)
	out.PutUVarInt(uint64(len(block.Columns)))
	out.PutUVarInt(0)
	for _, c := range block.Columns {
		out.PutString(c.Name())
		out.PutString(string(c.Type()))
		if revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
			out.PutBool(false)
		}
	}
}
