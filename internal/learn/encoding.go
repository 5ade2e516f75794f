package learn

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A model on disk: magic, version, length and checksum of what follows, and the
// model as deflated JSON. JSON keeps every bit of a float64.
const (
	magic   = "STML"
	version = 1
	head    = len(magic) + 1 + 4 + 4
	// maxPlain bounds what a model may unfold to, so that no file of a few
	// bytes can take all memory.
	maxPlain = 512 << 20
)

// ErrCorrupt is returned for bytes that are no model, or not a whole one.
var ErrCorrupt = errors.New("these bytes are not a model")

// Encode writes the model. Equal models have equal bytes.
func (m *Model) Encode() ([]byte, error) {
	plain, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	w, err := flate.NewWriter(&body, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	out := append([]byte(magic), version)
	out = binary.BigEndian.AppendUint32(out, uint32(body.Len())) //nolint:gosec // far below 4 GB
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(body.Bytes(), crc32.MakeTable(crc32.Castagnoli)))
	return append(out, body.Bytes()...), nil
}

// Decode reads what [Model.Encode] wrote. A model that it returns can be used;
// anything else is ErrCorrupt.
func Decode(data []byte) (*Model, error) {
	corrupt := func(why string) error { return fmt.Errorf("%w: %s", ErrCorrupt, why) }
	if len(data) < head || string(data[:len(magic)]) != magic {
		return nil, corrupt("no beginning")
	}
	if v := data[len(magic)]; v != version {
		return nil, corrupt(fmt.Sprintf("version %d, and this program reads version %d", v, version))
	}
	body := data[head:]
	if n := binary.BigEndian.Uint32(data[len(magic)+1:]); uint64(n) != uint64(len(body)) {
		return nil, corrupt(fmt.Sprintf("%d bytes of %d", len(body), n))
	}
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(data[len(magic)+5:]) {
		return nil, corrupt("the checksum is another")
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(body)), maxPlain+1))
	if err != nil {
		return nil, corrupt(err.Error())
	}
	if len(plain) > maxPlain {
		return nil, corrupt("it is too large")
	}
	m := &Model{}
	if err := json.Unmarshal(plain, m); err != nil {
		return nil, corrupt(err.Error())
	}
	if err := m.check(); err != nil {
		return nil, corrupt(err.Error())
	}
	return m, nil
}

// clone is a copy that shares nothing.
func (m *Model) clone() (*Model, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	out := &Model{}
	return out, json.Unmarshal(data, out)
}
