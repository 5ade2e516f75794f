//go:build !noengine

package engine

import (
	"fmt"

	"github.com/ebitengine/purego"
)

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
