package config

import (
	"path/filepath"
	"time"
)

// Config is what is in force. Adding a setting is adding a field here and its
// default in [Default].
type Config struct {
	Server     Server     `yaml:"server"`
	Data       Data       `yaml:"data"`
	Backup     Backup     `yaml:"backup"`
	Log        Log        `yaml:"log"`
	EventStore EventStore `yaml:"eventstore"`
	Memory     Memory     `yaml:"memory"`
	ClickHouse ClickHouse `yaml:"clickhouse"`
	Kafka      Kafka      `yaml:"kafka"`
	Relay      Relay      `yaml:"relay"`
	Gateway    Gateway    `yaml:"gateway"`
	MCP        MCP        `yaml:"mcp"`
	Outbound   Outbound   `yaml:"outbound"`
	Memories   Memories   `yaml:"memories"`
	Personas   Personas   `yaml:"personas"`
	Telemetry  Telemetry  `yaml:"telemetry"`
	Admin      Admin      `yaml:"admin"`
	Edge       Edge       `yaml:"edge"`
	Node       Node       `yaml:"node"`
	Secrets    Secrets    `yaml:"secrets"`
}

// Server is the one port that everything is served on.
type Server struct {
	Listen          string        `yaml:"listen" env:"LISTEN" doc:"Address to listen on, host:port. The default is reachable from this machine only; 0.0.0.0:8000 serves the network. Port 0 takes any free port."`
	PublicURL       string        `yaml:"public_url" env:"PUBLIC_URL" doc:"URL under which clients reach the server, shown in the API documents and on the console. Empty: http:// and the address listened on."`
	BodyLimit       Bytes         `yaml:"body_limit" env:"BODY_LIMIT" doc:"Largest request body. A larger one is refused before it is read."`
	RequestTimeout  time.Duration `yaml:"request_timeout" env:"REQUEST_TIMEOUT" doc:"How long one operation may take. Streams and model calls have limits of their own."`
	HeaderTimeout   time.Duration `yaml:"header_timeout" env:"HEADER_TIMEOUT" doc:"How long a client may take to send a request's headers."`
	IdleTimeout     time.Duration `yaml:"idle_timeout" env:"IDLE_TIMEOUT" doc:"How long a connection is kept without a request."`
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout" env:"SHUTDOWN_TIMEOUT" doc:"How long running requests may go on after SIGTERM. Everything has stopped within this time."`
	ReadWait        time.Duration `yaml:"read_wait" env:"READ_WAIT" doc:"How long a read with Strata-Min-Position waits for the read model to catch up."`
	CORSOrigins     []string      `yaml:"cors_origins" env:"CORS_ORIGINS" doc:"Origins whose pages may call the API, for example https://app.example.com; * allows all. Pages of this machine (localhost) always may."`
	TrustedProxies  []string      `yaml:"trusted_proxies" env:"TRUSTED_PROXIES" doc:"Addresses and ranges of the reverse proxies in front, strata edge among them, whose X-Forwarded-For is believed. The caller's address is the right-most there that is not one of these; requests without a valid credential are limited by it. Empty: the address of the connection."`
	RateLimits      RateLimits    `yaml:"rate_limits" env:"RATE_LIMIT" doc:"Requests a minute by tier of the caller's key; 0 is without limit."`
}

// RateLimits are the requests a minute of every tier.
type RateLimits struct {
	Free       Limit `yaml:"free" env:"FREE" doc:"Tier free."`
	Pro        Limit `yaml:"pro" env:"PRO" doc:"Tier pro."`
	Enterprise Limit `yaml:"enterprise" env:"ENTERPRISE" doc:"Tier enterprise, which the first admin key has."`
	Anonymous  Limit `yaml:"anonymous" env:"ANONYMOUS" doc:"Requests without a valid credential, by address."`
}

// Limit is the requests a minute of one tier.
type Limit struct {
	Key       int `yaml:"key" env:"KEY" doc:"Requests a minute of one key."`
	Workspace int `yaml:"workspace" env:"WORKSPACE" doc:"Requests a minute of a workspace, over all its keys."`
}

// Data is where everything is kept.
type Data struct {
	Dir string `yaml:"dir" env:"DATA_DIR" doc:"Directory of everything Strata keeps. One process owns it at a time."`
}

// LogDir is the directory of the event log.
func (d Data) LogDir() string { return filepath.Join(d.Dir, "log") }

// ModelsDir is the directory of the read models.
func (d Data) ModelsDir() string { return filepath.Join(d.Dir, "models") }

// SnapshotsFile is the file of folded states, which may be deleted at any time
// while nothing runs.
func (d Data) SnapshotsFile() string { return filepath.Join(d.Dir, "snapshots.db") }

// KeyFile is the file of the master key, unless one is given in the environment.
func (d Data) KeyFile() string { return filepath.Join(d.Dir, "keys", "master.key") }

// SubjectKeysFile is the file of the keys that personal data is sealed under.
func (d Data) SubjectKeysFile() string { return filepath.Join(d.Dir, "keys", "subjects.db") }

// Backup is where the server itself may write backups.
type Backup struct {
	Dir string `yaml:"dir" env:"BACKUP_DIR" doc:"Directory in which backups asked for over the API are made, each in a directory of its own. It should not be on the same disk as the data. Empty: the API makes none; strata backup works without."`
}

// Log is the embedded event log.
type Log struct {
	SegmentSize  Bytes `yaml:"segment_size" env:"LOG_SEGMENT_SIZE" doc:"Size of a segment file; its space is reserved when it is begun."`
	MaxEventSize Bytes `yaml:"max_event_size" env:"LOG_MAX_EVENT_SIZE" doc:"Largest event."`
}

// EventStore is a log that a server keeps and processes share.
type EventStore struct {
	URL     string        `yaml:"url" env:"EVENTSTORE_URL" secret:"userinfo" doc:"Event log to use: the connection string (esdb://user:password@host:2113, esdb://host1,host2,host3 or esdb+discover://host, with ?tls=false where there is no TLS) of EventStoreDB, KurrentDB or strata eventstore. Empty: the embedded log, in the data directory."`
	Timeout time.Duration `yaml:"timeout" env:"EVENTSTORE_TIMEOUT" doc:"How long a request waits for a server that does not answer. What follows the log waits for ever."`
}

// Memory is what this process may hold, without the analytics engine.
type Memory struct {
	Limit Bytes `yaml:"limit" env:"MEMORY_LIMIT" doc:"Memory beyond which garbage is collected more often, at the price of processor time. It is no hard limit: what is in use stays. GOGC and GOMEMLIMIT, where they are set, have the last word."`
}

// ClickHouse is the analytics engine.
type ClickHouse struct {
	URL           string        `yaml:"url" env:"CLICKHOUSE_URL" secret:"userinfo" doc:"ClickHouse server to use: http://, https:// or clickhouse://user:password@host:port/database. Several host:port, separated by commas, are addresses of the same data; the next is used when one is away. Empty: the embedded engine."`
	Cluster       string        `yaml:"cluster" env:"CLICKHOUSE_CLUSTER" doc:"Name of the server's cluster (remote_servers): tables are then replicated and distributed over it. Empty: the server is used as one."`
	CAFile        string        `yaml:"ca_file" env:"CLICKHOUSE_CA_FILE" doc:"Authorities, PEM, that the server's certificate is trusted by. Empty: those of the system."`
	CertFile      string        `yaml:"cert_file" env:"CLICKHOUSE_CERT_FILE" doc:"Certificate, PEM, that is shown to a server that asks for one."`
	KeyFile       string        `yaml:"key_file" env:"CLICKHOUSE_KEY_FILE" doc:"Private key of that certificate, PEM."`
	Library       string        `yaml:"library" env:"CHDB_LIB" doc:"Path of libchdb, the embedded engine. Empty: looked for in <data>/lib, beside the program and in deploy/engine/node_modules."`
	MemoryLimit   Bytes         `yaml:"memory_limit" env:"CLICKHOUSE_MEMORY_LIMIT" doc:"Memory the embedded engine may use. A query that would need more fails; the engine lives on."`
	Connections   int           `yaml:"connections" env:"CLICKHOUSE_CONNECTIONS" doc:"Statements of the embedded engine that run at once."`
	Nice          int           `yaml:"nice" env:"CLICKHOUSE_NICE" doc:"How much the embedded engine yields to requests when the processors are busy: 0 (not at all) to 19, as in nice(1). Linux only."`
	OverKafka     bool          `yaml:"over_kafka" env:"CLICKHOUSE_OVER_KAFKA" doc:"Whether recorded calls reach ClickHouse over Kafka: then every process that may write to it takes a share. Needs kafka.brokers and clickhouse.url."`
	FlushRows     int           `yaml:"flush_rows" env:"CLICKHOUSE_FLUSH_ROWS" doc:"Model calls after which a batch is written."`
	FlushInterval time.Duration `yaml:"flush_interval" env:"CLICKHOUSE_FLUSH_INTERVAL" doc:"Time after which a batch is written, however small: how old the inference log may be."`
}

// Gateway is the calling of models.
type Gateway struct {
	RecordPayloads   bool          `yaml:"record_payloads" env:"RECORD_PAYLOADS" doc:"Whether requests and answers of model calls are kept in the inference log, beside their figures."`
	ConnectTimeout   time.Duration `yaml:"connect_timeout" env:"GATEWAY_CONNECT_TIMEOUT" doc:"How long connecting to a provider may take."`
	FirstByteTimeout time.Duration `yaml:"first_byte_timeout" env:"GATEWAY_FIRST_BYTE_TIMEOUT" doc:"How long a provider may take to begin its answer. An answer that is not streamed begins when it is complete."`
	StallTimeout     time.Duration `yaml:"stall_timeout" env:"GATEWAY_STALL_TIMEOUT" doc:"How long a provider may be silent within an answer."`
	GuardBlock       []string      `yaml:"guard_block" env:"GUARD_BLOCK" doc:"What the guard of chats lets not pass: prompt_injection, secret, payment_card, bank_account, national_id, email, phone. It tells of the others."`
	GuardModel       string        `yaml:"guard_model" env:"GUARD_MODEL" doc:"Model (provider/model of the workspace that calls) that judges what the guard's rules let pass. A text that it cannot be asked about does not pass. Empty: rules only."`
	RouterModel      string        `yaml:"router_model" env:"ROUTER_MODEL" doc:"Embedding model by which the router of chats compares a question with experts and model routes."`
}

// MCP is the calling of Model Context Protocol servers.
type MCP struct {
	Commands []string      `yaml:"commands" env:"MCP_COMMANDS" doc:"Programs that tenants' MCP servers of transport stdio may be, as their command names them: absolute paths, or names that are looked for in PATH. Whoever may create MCP servers runs them here, as this user and with arguments of their own. Empty: none."`
	Idle     time.Duration `yaml:"idle" env:"MCP_IDLE" doc:"How long a session with an MCP server is kept without a call; a program is then ended."`
}

// Outbound is what tenants may make Strata connect to.
type Outbound struct {
	Private []string `yaml:"private" env:"OUTBOUND_PRIVATE" doc:"Addresses beside the public internet that MCP servers, tools, workflows, connectors' buckets and clusters' managers may be at: ranges such as 10.1.0.0/16, addresses, or all. Empty: none, so that nobody reaches through Strata what only Strata can reach."`
}

// Memories is how agents' memories are found by meaning.
type Memories struct {
	EmbeddingModel      string `yaml:"embedding_model" env:"MEMORIES_EMBEDDING_MODEL" doc:"Embedding model by which memories are found by meaning. It is called once for each text that is remembered, and for each search. After a change, what was remembered before is found by words alone until its text changes. Empty: words alone."`
	LeastSimilarity     int    `yaml:"least_similarity" env:"MEMORIES_LEAST_SIMILARITY" doc:"Similarity of meaning (the cosine, in hundredths) below which a search takes a memory for unrelated. What is right depends on the model."`
	DuplicateSimilarity int    `yaml:"duplicate_similarity" env:"MEMORIES_DUPLICATE_SIMILARITY" doc:"Similarity of meaning, in hundredths, from which on a memory is marked as a duplicate of an earlier one that belongs to the same agent, user, session and app."`
}

// Personas is the completing and uploading of personas.
type Personas struct {
	Model        string        `yaml:"model" env:"PERSONAS_MODEL" doc:"Model that completes personas and reads them from documents, unless a request names one. It must be able to answer in JSON; the built-in one is not."`
	UploadLimit  Bytes         `yaml:"upload_limit" env:"PERSONAS_UPLOAD_LIMIT" doc:"Largest upload of personas, all its files together. A single file may have 64 MiB."`
	UploadExpiry time.Duration `yaml:"upload_expiry" env:"PERSONAS_UPLOAD_EXPIRY" doc:"How long an upload of personas waits to be confirmed."`
}

// Telemetry is what Strata tells of itself.
type Telemetry struct {
	LogLevel     string `yaml:"log_level" env:"LOG_LEVEL" oneof:"debug info warn error" doc:"Least severe messages to log: debug, info, warn or error."`
	LogFormat    string `yaml:"log_format" env:"LOG_FORMAT" oneof:"text json" doc:"Form of the log on standard error: text or json."`
	PprofListen  string `yaml:"pprof_listen" env:"PPROF_LISTEN" doc:"Address, host:port, on which Go's profiler (net/http/pprof) is served, without authentication: keep it on this machine. Empty: nowhere."`
	OTLPEndpoint string `yaml:"otlp_endpoint" env:"OTLP_ENDPOINT" doc:"OpenTelemetry collector that traces are sent to over OTLP/HTTP, for example http://localhost:4318. Empty: no traces."`
}

// Admin is the first access to a new installation.
type Admin struct {
	Key string `yaml:"key" env:"ADMIN_KEY" secret:"true" doc:"First admin API key, at least 16 characters. Empty: one is made and shown once, when the data directory is new."`
}

// Edge is the one address of an installation of several nodes.
type Edge struct {
	Write []string `yaml:"write" env:"EDGE_WRITE" doc:"URLs of the nodes that run strata write (or serve), for strata edge."`
	Read  []string `yaml:"read" env:"EDGE_READ" doc:"URLs of the nodes that run strata read (or serve), for strata edge."`
	Other []string `yaml:"other" env:"EDGE_OTHER" doc:"URLs of further nodes, for strata edge: they get only requests that name them with the header Strata-Node."`
}

// Node is this process among those that share an event log.
type Node struct {
	Name             string        `yaml:"name" env:"NODE_NAME" doc:"Name of this process among those that share an event log; it must stay with its data directory. Empty: one that is made at the first start and kept in <data>/node."`
	Snapshots        string        `yaml:"snapshots" env:"NODE_SNAPSHOTS" doc:"Directory that several nodes share, in which nodes that read put copies of their read models and from which a new node takes its first. It holds people's data as data directories do. Empty: every node folds its read models from the log."`
	SnapshotInterval time.Duration `yaml:"snapshot_interval" env:"NODE_SNAPSHOT_INTERVAL" doc:"Time from one copy of a read model to the next."`
}

// Secrets protects what is sealed in the log, such as providers' API keys.
type Secrets struct {
	MasterKey string `yaml:"master_key" env:"MASTER_KEY" secret:"true" doc:"Key that secrets are sealed with: 32 bytes in base64 or hex. Several, separated by commas: the first seals, the others still open what they sealed. Empty: kept in <data>/keys/master.key, made at the first start."`
}

// Default returns the configuration of an installation that says nothing.
func Default() Config {
	return Config{
		Server: Server{
			Listen:          "127.0.0.1:8000",
			BodyLimit:       10 << 20,
			RequestTimeout:  30 * time.Second,
			HeaderTimeout:   10 * time.Second,
			IdleTimeout:     2 * time.Minute,
			ShutdownTimeout: 10 * time.Second,
			ReadWait:        2 * time.Second,
			RateLimits: RateLimits{
				Free:      Limit{Key: 100, Workspace: 100},
				Pro:       Limit{Key: 1000, Workspace: 1000},
				Anonymous: Limit{Key: 100, Workspace: 100},
			},
		},
		Data: Data{Dir: "data"},
		Log:  Log{SegmentSize: 64 << 20, MaxEventSize: 4 << 20},

		EventStore: EventStore{Timeout: 10 * time.Second},

		Node:   Node{SnapshotInterval: time.Hour},
		Memory: Memory{Limit: 1 << 30},
		ClickHouse: ClickHouse{
			MemoryLimit: 1 << 30, Connections: 6,
			Nice: 5, FlushRows: 10_000, FlushInterval: time.Second,
		},
		Kafka: Kafka{SASLMechanism: "none", Compression: "none", Partitions: 6},
		Relay: Relay{TopicPrefix: "strata.", Source: "strata"},
		Gateway: Gateway{
			RecordPayloads: true,
			ConnectTimeout: 5 * time.Second, FirstByteTimeout: 5 * time.Minute, StallTimeout: 2 * time.Minute,
			GuardBlock: []string{"prompt_injection", "secret", "payment_card", "bank_account", "national_id"}, RouterModel: "strata/embed-1",
		},
		MCP:       MCP{Idle: 5 * time.Minute},
		Memories:  Memories{EmbeddingModel: "strata/embed-1", LeastSimilarity: 30, DuplicateSimilarity: 95},
		Personas:  Personas{Model: "strata/extract-1", UploadLimit: 128 << 20, UploadExpiry: 24 * time.Hour},
		Telemetry: Telemetry{LogLevel: "info", LogFormat: "text"},
	}
}
