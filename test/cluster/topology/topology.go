// Package topology starts a whole distributed Strata on this machine, without
// containers: an event log, an analytics engine and an Apache Kafka that are
// servers, two nodes that write, two that read, two of which one projects, two of
// which one relays, and an edge before them.
package topology

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"strata/test/kafka/broker"
	"strata/test/kit"
)

// Options say how the cluster is started. Dir is needed.
type Options struct {
	Dir string // of everything: data, and logs in logs/
	// LogAddress may put something between a node and the event log: it returns the
	// address that the node is to use in place of the log's.
	LogAddress func(node, address string) (string, error)
	// ClickHouse starts the analytics engine, where its library is installed.
	ClickHouse bool
	// Kafka starts a broker, where broker.Available says that it can run, and nodes
	// that relay to it. Recorded calls then reach ClickHouse over it.
	Kafka    bool
	Env      []string // more variables of every node
	Progress func(line string)
}

// startWithin is what one process gets to be ready in, on a busy machine.
const startWithin = time.Minute

// Cluster is a running installation.
type Cluster struct {
	Log        *kit.Server
	ClickHouse *kit.Server    // nil without
	Kafka      *broker.Broker // nil without
	Writers    []*kit.Server
	Readers    []*kit.Server
	Projectors []*kit.Server
	Relays     []*kit.Server // none without Kafka
	Edge       *kit.Server

	opts      Options
	masterKey string
	all       []*kit.Server // in the order of their start
}

// Start starts everything and returns when it is ready. After an error nothing runs.
func Start(opts Options) (*Cluster, error) {
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	c := &Cluster{opts: opts, masterKey: base64.StdEncoding.EncodeToString(key)}
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) start() (err error) {
	if err := os.MkdirAll(filepath.Join(c.opts.Dir, "logs"), 0o755); err != nil {
		return err
	}
	if err := c.startEngines(); err != nil {
		return err
	}
	// The edge's address is known before it runs: nodes show it as theirs.
	if c.Edge, err = c.prepare("edge", kit.Options{Command: "edge"}); err != nil {
		return err
	}
	type group struct {
		role  string
		nodes *[]*kit.Server
	}
	groups := []group{{"write", &c.Writers}, {"read", &c.Readers}, {"project", &c.Projectors}}
	if c.Kafka != nil {
		groups = append(groups, group{"relay", &c.Relays})
	}
	for _, g := range groups {
		if *g.nodes, err = c.nodes(g.role, 2); err != nil {
			return err
		}
	}
	c.Edge.SetEnv("STRATA_EDGE_WRITE="+urls(c.Writers), "STRATA_EDGE_READ="+urls(c.Readers), "STRATA_EDGE_OTHER="+urls(slices.Concat(c.Projectors, c.Relays)))
	return c.run("edge", c.Edge)
}

// startEngines starts what nodes share. A broker is slow to start: the others
// start meanwhile.
func (c *Cluster) startEngines() (err error) {
	var kafka error
	var starting sync.WaitGroup
	if c.opts.Kafka {
		starting.Go(func() { kafka = c.startKafka() })
	}
	c.Log, err = c.begin("eventstore", kit.Options{Command: "eventstore", Listens: true})
	if err == nil && c.opts.ClickHouse {
		c.ClickHouse, err = c.begin("clickhouse", kit.Options{Command: "clickhouse", Listens: true})
	}
	starting.Wait()
	return errors.Join(err, kafka)
}

func (c *Cluster) startKafka() error {
	dir := filepath.Join(c.opts.Dir, "kafka")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := broker.New(broker.Config{Dir: dir, Log: filepath.Join(c.opts.Dir, "logs", "kafka.log")})
	if err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	c.Kafka = b
	c.started("kafka", b.Address(), b.PID())
	return nil
}

func urls(nodes []*kit.Server) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.URL)
	}
	return strings.Join(all, ",")
}

// nodes starts some nodes of a role at the same time.
func (c *Cluster) nodes(role string, n int) ([]*kit.Server, error) {
	nodes, faults := make([]*kit.Server, n), make([]error, n)
	var all sync.WaitGroup
	for i := range nodes {
		name := fmt.Sprintf("%s-%d", role, i+1)
		env, err := c.environment(name)
		if err != nil {
			return nil, err
		}
		if nodes[i], err = c.prepare(name, kit.Options{Command: role, Env: env}); err != nil {
			return nil, err
		}
		c.all = append(c.all, nodes[i])
		all.Go(func() { faults[i] = c.launch(name, nodes[i]) })
	}
	all.Wait()
	return nodes, errors.Join(faults...)
}

// environment is what a node must know of the others.
func (c *Cluster) environment(name string) ([]string, error) {
	address := c.Log.Address()
	if c.opts.LogAddress != nil {
		var err error
		if address, err = c.opts.LogAddress(name, address); err != nil {
			return nil, err
		}
	}
	env := []string{
		"STRATA_EVENTSTORE_URL=esdb://" + address + "?tls=false", "STRATA_MASTER_KEY=" + c.masterKey,
		"STRATA_PUBLIC_URL=" + c.Edge.URL, "STRATA_RATE_LIMIT_ANONYMOUS_KEY=0",
		"STRATA_TRUSTED_PROXIES=127.0.0.1", // the edge
		"STRATA_NODE_SNAPSHOTS=" + filepath.Join(c.opts.Dir, "shelf"),
	}
	if c.ClickHouse != nil {
		env = append(env, "STRATA_CLICKHOUSE_URL=http://"+c.ClickHouse.Address())
	} else {
		env = append(env, "STRATA_CHDB_LIB=none")
	}
	if c.Kafka != nil {
		env = append(env, "STRATA_KAFKA_BROKERS="+c.Kafka.Address(), fmt.Sprint("STRATA_CLICKHOUSE_OVER_KAFKA=", c.ClickHouse != nil))
	}
	return append(env, c.opts.Env...), nil
}

// begin prepares and runs a process.
func (c *Cluster) begin(name string, o kit.Options) (*kit.Server, error) {
	s, err := c.prepare(name, o)
	if err != nil {
		return nil, err
	}
	return s, c.run(name, s)
}

func (c *Cluster) prepare(name string, o kit.Options) (*kit.Server, error) {
	o.DataDir = filepath.Join(c.opts.Dir, name)
	o.LogFile = filepath.Join(c.opts.Dir, "logs", name+".log")
	o.StartWithin = startWithin
	return kit.New(o)
}

func (c *Cluster) run(name string, s *kit.Server) error {
	c.all = append(c.all, s)
	return c.launch(name, s)
}

func (c *Cluster) launch(name string, s *kit.Server) error {
	if err := s.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.started(name, s.Address(), s.PID())
	return nil
}

func (c *Cluster) started(name, address string, pid int) {
	c.opts.Progress(fmt.Sprintf("%-10s  %-22s  process %d", name, address, pid))
}

// Nodes are the processes between the edge and the log.
func (c *Cluster) Nodes() []*kit.Server {
	return slices.Concat(c.Writers, c.Readers, c.Projectors, c.Relays)
}

// Processes is how many were started.
func (c *Cluster) Processes() int {
	if c.Kafka != nil {
		return len(c.all) + 1
	}
	return len(c.all)
}

// Stop stops everything, last started first. It can be repeated.
func (c *Cluster) Stop() error {
	var errs []error
	for i := len(c.all) - 1; i >= 0; i-- {
		errs = append(errs, c.all[i].Stop())
	}
	if c.Kafka != nil {
		errs = append(errs, c.Kafka.Stop())
	}
	return errors.Join(errs...)
}
