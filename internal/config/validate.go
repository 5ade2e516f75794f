package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/addresses"
	"strata/internal/outbound"
)

// minAdminKey is the least length of a key somebody chose: shorter ones can be guessed.
const minAdminKey = 16

// maxRate is the highest limit of requests a minute that can be set.
const maxRate = 1_000_000_000

// Validate names everything that is wrong.
func (c *Config) Validate() error {
	v := validator{}
	for _, s := range settingsOf(c) {
		if len(s.oneof) > 0 && !slices.Contains(s.oneof, s.text()) {
			v.fault(s.path, "is %q, not one of %s", s.text(), strings.Join(s.oneof, ", "))
		}
		if d, ok := s.value.Interface().(time.Duration); ok && d <= 0 {
			v.fault(s.path, "is %s, not positive", d)
		}
	}
	v.server(&c.Server)
	for path, urls := range map[string][]string{"edge.write": c.Edge.Write, "edge.read": c.Edge.Read, "edge.other": c.Edge.Other} {
		for _, u := range urls {
			v.url(path, u, "http", "https")
		}
	}
	if c.Data.Dir == "" {
		v.fault("data.dir", "is empty")
	}
	v.within("log.segment_size", c.Log.SegmentSize, 4<<10, 2<<30)
	v.within("log.max_event_size", c.Log.MaxEventSize, 1<<10, 64<<20)
	if u := c.EventStore.URL; u != "" && !strings.HasPrefix(u, "esdb://") && !strings.HasPrefix(u, "esdb+discover://") {
		v.fault("eventstore.url", "is not a connection string that begins with esdb:// or esdb+discover://")
	}
	v.node(c)
	v.number("memories.least_similarity", c.Memories.LeastSimilarity, 0, 100)
	v.number("memories.duplicate_similarity", c.Memories.DuplicateSimilarity, 1, 100)
	v.within("personas.upload_limit", c.Personas.UploadLimit, 1<<10, 1<<30)
	v.within("memory.limit", c.Memory.Limit, 64<<20, 1<<50)
	single, _ := splitHosts(c.ClickHouse.URL)
	v.url("clickhouse.url", single, "http", "https", "clickhouse")
	if c.ClickHouse.Cluster != "" && c.ClickHouse.URL == "" {
		v.fault("clickhouse.cluster", "is set without clickhouse.url")
	}
	if (c.ClickHouse.CertFile == "") != (c.ClickHouse.KeyFile == "") {
		v.fault("clickhouse.cert_file", "and clickhouse.key_file need each other")
	}
	v.within("clickhouse.memory_limit", c.ClickHouse.MemoryLimit, 256<<20, 1<<50)
	v.number("clickhouse.connections", c.ClickHouse.Connections, 1, 64)
	v.number("clickhouse.nice", c.ClickHouse.Nice, 0, 19)
	v.number("clickhouse.flush_rows", c.ClickHouse.FlushRows, 1, 1_000_000)
	v.kafka(c.Kafka, c.Relay)
	v.overKafka(c)
	if _, err := outbound.New(c.Outbound.Private); err != nil {
		v.fault("outbound.private", "has a part that is no range: %v", err)
	}
	v.url("telemetry.otlp_endpoint", c.Telemetry.OTLPEndpoint, "http", "https")
	if n := len(c.Admin.Key); n > 0 && (n < minAdminKey || strings.ContainsAny(c.Admin.Key, " \t\r\n")) {
		v.fault("admin.key", "must have at least %d characters and no blanks", minAdminKey)
	}
	return errors.Join(v.faults...)
}

type validator struct{ faults []error }

func (v *validator) server(s *Server) {
	v.address("server.listen", s.Listen)
	v.url("server.public_url", s.PublicURL, "http", "https")
	v.within("server.body_limit", s.BodyLimit, 1<<10, 1<<30)
	for _, origin := range s.CORSOrigins {
		if origin != "*" {
			v.url("server.cors_origins", origin, "http", "https")
		}
	}
	if _, err := addresses.Parse(s.TrustedProxies); err != nil {
		v.fault("server.trusted_proxies", "has a part that is no range: %v", err)
	}
	v.limits(s.RateLimits)
}

func (v *validator) node(c *Config) {
	if c.Node.Snapshots != "" && c.EventStore.URL == "" {
		v.fault("node.snapshots", "is set without eventstore.url: there are no other nodes")
	}
	if c.Node.SnapshotInterval < time.Second {
		v.fault("node.snapshot_interval", "must be at least a second")
	}
}

func (v *validator) fault(path, format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf("%s %s", path, fmt.Sprintf(format, args...)))
}

func (v *validator) address(path, address string) {
	_, port, err := net.SplitHostPort(address)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		v.fault(path, "is %q, not host:port", address)
	}
}

// url accepts "" as "none". It does not repeat the value, which may hold a password.
func (v *validator) url(path, text string, schemes ...string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		v.fault(path, "is not a URL that begins with %s://", strings.Join(schemes, ":// or "))
	}
}

// splitHosts takes a URL with several hosts, separated by commas, apart: one that
// net/url understands, with the first of them, and all of them as they stand.
func splitHosts(text string) (single, hosts string) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return text, ""
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	from := strings.LastIndex(rest[:end], "@") + 1
	hosts = rest[from:end]
	first, _, _ := strings.Cut(hosts, ",")
	return scheme + "://" + rest[:from] + first + rest[end:], hosts
}

func (v *validator) within(path string, b, low, high Bytes) {
	if b < low || b > high {
		v.fault(path, "is %s, not within %s and %s", b, low, high)
	}
}

func (v *validator) number(path string, n, low, high int) {
	if n < low || n > high {
		v.fault(path, "is %d, not within %d and %d", n, low, high)
	}
}

func (v *validator) limits(r RateLimits) {
	for _, tier := range []struct {
		name  string
		limit Limit
	}{{"free", r.Free}, {"pro", r.Pro}, {"enterprise", r.Enterprise}, {"anonymous", r.Anonymous}} {
		v.number("server.rate_limits."+tier.name+".key", tier.limit.Key, 0, maxRate)
		v.number("server.rate_limits."+tier.name+".workspace", tier.limit.Workspace, 0, maxRate)
	}
}
