//go:build noengine

package engine

import "errors"

// load fails: with the tag noengine the program is linked without what loads
// shared libraries, and is therefore static. It needs a ClickHouse server.
func load(string) (*library, error) {
	return nil, errors.New("this program was built without the embedded ClickHouse engine: set STRATA_CLICKHOUSE_URL to a server")
}
