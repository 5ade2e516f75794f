package clickhouse

import (
	"log/slog"
	"time"
)

// Database is the name of the database that holds everything of Strata.
const Database = "strata"

// EmbeddedDir is the subdirectory of the data directory that the embedded engine
// keeps everything in.
const EmbeddedDir = "clickhouse"

// ChildCommand is the hidden subcommand whose body is [ChildMain].
const ChildCommand = "clickhouse-child"

// Config says where ClickHouse is. The zero value with a DataDir is the
// embedded engine with sensible defaults.
type Config struct {
	// URL of a server (http://, https:// or clickhouse://, with user, password
	// and database; several host:port, separated by commas, are addresses of the
	// same data, used one at a time). Empty: the embedded engine.
	URL string
	// Cluster is the name of the server's cluster that tables are replicated and
	// distributed over. Empty: the server is used as one.
	Cluster string
	// CAFile has the authorities that a server's certificate is trusted by
	// (empty: the system's), CertFile and KeyFile our own certificate for servers
	// that ask for one. All are PEM.
	CAFile, CertFile, KeyFile string
	// DataDir is Strata's data directory; the embedded engine uses its
	// subdirectory "clickhouse".
	DataDir string
	// Library is the path of libchdb. Empty: STRATA_CHDB_LIB, else the usual
	// places (see FindLibrary).
	Library string
	// MaxMemory caps the memory of the embedded engine, in bytes. A statement
	// that would exceed it fails; the engine lives on. 0: 1 GiB.
	MaxMemory int64
	// Nice is how much lower than our own the priority of the embedded engine is:
	// 0 (the same) to 19, as in nice(1). It has an effect on Linux only.
	Nice int
	// Connections bounds the statements that run at once. 0: 6.
	Connections int
	// Command is the program and the first arguments that start the child.
	// Empty: this executable with ChildCommand.
	Command []string
	// Env is added to the environment of the child.
	Env []string
	// RestartDelay is the first pause before a dead child is started again; it
	// doubles up to 30 times itself while the child keeps dying. 0: 200 ms.
	RestartDelay time.Duration
	// Logger receives life-cycle messages. Nil: none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MaxMemory == 0 {
		c.MaxMemory = 1 << 30
	}
	if c.Connections == 0 {
		c.Connections = 6
	}
	if c.RestartDelay == 0 {
		c.RestartDelay = 200 * time.Millisecond
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
