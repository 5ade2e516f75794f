package config

// Kafka is the cluster that events are published to.
type Kafka struct {
	Brokers       []string `yaml:"brokers" env:"KAFKA_BROKERS" doc:"Some brokers of a Kafka cluster, host:port, separated by commas; they name the others. Empty: there is none."`
	TLS           bool     `yaml:"tls" env:"KAFKA_TLS" doc:"Whether connections are encrypted. The files below imply it."`
	CAFile        string   `yaml:"ca_file" env:"KAFKA_CA_FILE" doc:"Authorities, PEM, that the brokers' certificates are trusted by. Empty: those of the system."`
	CertFile      string   `yaml:"cert_file" env:"KAFKA_CERT_FILE" doc:"Certificate, PEM, that is shown to brokers that ask for one."`
	KeyFile       string   `yaml:"key_file" env:"KAFKA_KEY_FILE" doc:"Private key of that certificate, PEM."`
	SASLMechanism string   `yaml:"sasl_mechanism" env:"KAFKA_SASL_MECHANISM" oneof:"none PLAIN SCRAM-SHA-256 SCRAM-SHA-512" doc:"How the user is authenticated: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; none: not at all."`
	User          string   `yaml:"user" env:"KAFKA_USER" doc:"User to authenticate as."`
	Password      string   `yaml:"password" env:"KAFKA_PASSWORD" secret:"true" doc:"That user's password."`
	Compression   string   `yaml:"compression" env:"KAFKA_COMPRESSION" oneof:"none gzip snappy lz4 zstd" doc:"Compression of what is published: none, gzip, snappy, lz4 or zstd."`
	Partitions    int      `yaml:"partitions" env:"KAFKA_PARTITIONS" doc:"Partitions of a topic that is made because it does not exist."`
	Replication   int      `yaml:"replication" env:"KAFKA_REPLICATION" doc:"Replicas of each of its partitions; 0: what the cluster has configured."`
}

// Relay is the publishing of the log.
type Relay struct {
	Categories  []string `yaml:"categories" env:"RELAY_CATEGORIES" doc:"Categories of events that are published to Kafka, separated by commas, for example session,app. Empty: all that hold no secrets, accounts or inner workings. Secrets are never published."`
	Personal    []string `yaml:"personal" env:"RELAY_PERSONAL" doc:"Of these, the categories whose personal data is published too. Of others it is left out. What was published cannot be erased any more: let such topics forget."`
	TopicPrefix string   `yaml:"topic_prefix" env:"RELAY_TOPIC_PREFIX" doc:"Beginning of the topics' names; the category follows."`
	Source      string   `yaml:"source" env:"RELAY_SOURCE" doc:"Source (CloudEvents) of what is published, a URI reference that tells this installation from others."`
}

// overKafka checks what calls need that reach ClickHouse over Kafka.
func (v *validator) overKafka(c *Config) {
	if c.ClickHouse.OverKafka && (len(c.Kafka.Brokers) == 0 || c.ClickHouse.URL == "") {
		v.fault("clickhouse.over_kafka", "needs kafka.brokers and clickhouse.url")
	}
}

// kafka checks what concerns publishing.
func (v *validator) kafka(k Kafka, r Relay) {
	for _, b := range k.Brokers {
		v.address("kafka.brokers", b)
	}
	if (k.CertFile == "") != (k.KeyFile == "") {
		v.fault("kafka.cert_file", "and kafka.key_file need each other")
	}
	if k.SASLMechanism != "none" && k.User == "" {
		v.fault("kafka.user", "is empty, and kafka.sasl_mechanism needs one")
	}
	v.number("kafka.partitions", k.Partitions, 1, 100_000)
	v.number("kafka.replication", k.Replication, 0, 100)
	if r.Source == "" {
		v.fault("relay.source", "is empty")
	}
}
