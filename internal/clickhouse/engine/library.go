package engine

import (
	"fmt"

	"github.com/ebitengine/purego"
)

// library holds the C functions we call. Lengths are passed along with every
// buffer, so text may contain NUL bytes.
type library struct {
	setSignalHandlers func(enabled int32)
	connect           func(argc int32, argv **byte) *uintptr
	closeConn         func(conn *uintptr)

	query           func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr) uintptr
	queryWithParams func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) uintptr

	streamInsert  func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr) uintptr
	streamAppend  func(stream uintptr, data *byte, n uintptr) int32
	streamDone    func(stream uintptr) uintptr
	streamError   func(stream uintptr) string
	destroyStream func(stream uintptr)

	resultBuffer  func(result uintptr) *byte
	resultLength  func(result uintptr) uintptr
	resultError   func(result uintptr) string
	destroyResult func(result uintptr)
}

// load opens the shared library and resolves every function we need.
func load(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load ClickHouse engine %s: %w", path, err)
	}
	var lib library
	for name, fn := range map[string]any{
		"chdb_set_signal_handlers_enabled": &lib.setSignalHandlers,
		"chdb_connect":                     &lib.connect,
		"chdb_close_conn":                  &lib.closeConn,
		"chdb_query_n":                     &lib.query,
		"chdb_query_with_params_n":         &lib.queryWithParams,
		"chdb_stream_insert_n":             &lib.streamInsert,
		"chdb_stream_append":               &lib.streamAppend,
		"chdb_stream_done":                 &lib.streamDone,
		"chdb_stream_insert_error":         &lib.streamError,
		"chdb_destroy_insert_stream":       &lib.destroyStream,
		"chdb_result_buffer":               &lib.resultBuffer,
		"chdb_result_length":               &lib.resultLength,
		"chdb_result_error":                &lib.resultError,
		"chdb_destroy_query_result":        &lib.destroyResult,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("ClickHouse engine %s lacks %s: %w", path, name, err)
		}
		purego.RegisterFunc(fn, symbol)
	}
	return &lib, nil
}
