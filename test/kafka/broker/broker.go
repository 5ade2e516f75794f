// Package broker runs a real Apache Kafka for tests: one process on loopback,
// broker and controller in one (KRaft), its data in a directory of its own.
//
//	b, err := broker.New(broker.Config{Dir: dir})
//	err = b.Start()
//	defer b.Stop()
//	… b.Address() …
//
// The jars come from Maven Central, "make kafka"; a Java of 17 or newer is
// needed to run them.
package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"strata/streams/kafka"
)

// startDeadline is how long a broker may take to answer: a Java starts twice
// meanwhile, and the machine may be busy.
const startDeadline = 90 * time.Second

// Config says how a broker is run.
type Config struct {
	Dir  string // its data and its log; must exist
	Jars string // directory with the jars; default: .cache/kafka/jars in the repository's top
	Heap string // of the Java process; default "256m"
	Log  string // file that the process writes to; default: broker.log in Dir
	// Secured opens a second listener with TLS and authentication: by PLAIN for
	// "ann", by SCRAM-SHA-256 for "bob" and by SCRAM-SHA-512 for "cid", each with
	// Password.
	Secured bool
}

// What a broker can lack.
var (
	ErrNoJars = errors.New("there is no Kafka")
	ErrNoJava = errors.New("there is no Java")
)

// Available tells what a broker lacks to run on this machine: ErrNoJava, ErrNoJars.
func Available() error {
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("%w: %w", ErrNoJava, err)
	}
	jars, err := defaultJars()
	if err != nil {
		return err
	}
	return complete(jars)
}

// complete tells whether a directory holds the jars.
func complete(jars string) error {
	if found, err := filepath.Glob(filepath.Join(jars, "kafka_*.jar")); err != nil || len(found) == 0 {
		return fmt.Errorf("%w in %s: run make kafka", ErrNoJars, jars)
	}
	return nil
}

// Password of everybody at the secured listener.
const Password = "a secret of tests"

// Broker is a Kafka process. Its address stays the same over restarts.
type Broker struct {
	cfg        Config
	address    string
	secured    string
	controller string
	identity   *identity // of the secured listener
	cmd        *exec.Cmd
	exited     chan struct{} // closed when the process is gone
}

// New prepares a broker: ports, configuration, an empty store.
func New(cfg Config) (*Broker, error) {
	if cfg.Heap == "" {
		cfg.Heap = "256m"
	}
	if cfg.Jars == "" {
		jars, err := defaultJars()
		if err != nil {
			return nil, err
		}
		cfg.Jars = jars
	}
	if cfg.Log == "" {
		cfg.Log = filepath.Join(cfg.Dir, "broker.log")
	}
	if err := complete(cfg.Jars); err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg}
	if err := b.reserve(&b.address, &b.secured, &b.controller); err != nil {
		return nil, err
	}
	if cfg.Secured {
		var err error
		if b.identity, err = newIdentity(); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(b.path("server.properties"), []byte(b.properties()), 0o600); err != nil {
		return nil, err
	}
	return b, b.format()
}

// defaultJars is where make kafka puts them.
func defaultJars() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".cache", "kafka", "jars"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside the repository")
		}
	}
}

func (b *Broker) path(name string) string { return filepath.Join(b.cfg.Dir, name) }

// reserve finds free ports. All are held until the last is found, so that none
// is found twice.
func (b *Broker) reserve(addresses ...*string) error {
	for _, a := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		*a = l.Addr().String()
	}
	return nil
}

// java makes a command that runs a class of Kafka.
func (b *Broker) java(class string, args ...string) *exec.Cmd {
	options := []string{"-Xmx" + b.cfg.Heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true", "-cp", filepath.Join(b.cfg.Jars, "*"), class}
	cmd := exec.Command("java", append(options, args...)...)
	cmd.Dir = b.cfg.Dir
	return cmd
}

// format makes the store, with the users that are kept in it.
func (b *Broker) format() error {
	args := []string{"format", "-t", clusterID(), "-c", b.path("server.properties"), "--ignore-formatted"}
	if b.cfg.Secured {
		args = append(args, "--add-scram", "SCRAM-SHA-256=[name=bob,password="+Password+"]",
			"--add-scram", "SCRAM-SHA-512=[name=cid,password="+Password+"]")
	}
	if out, err := b.java("kafka.tools.StorageTool", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's store: %w\n%s", err, out)
	}
	return nil
}

// Start starts the process and waits until it answers.
func (b *Broker) Start() error {
	out, err := os.OpenFile(b.cfg.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() // the process has its own descriptor
	b.cmd = b.java("kafka.Kafka", b.path("server.properties"))
	b.cmd.Stdout, b.cmd.Stderr = out, out
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	exited := make(chan struct{})
	b.exited = exited
	go func(cmd *exec.Cmd) {
		defer close(exited)
		_ = cmd.Wait() // killed, mostly
	}(b.cmd)
	if err := b.await(); err != nil {
		return errors.Join(err, b.Kill())
	}
	return nil
}

// await waits until the broker answers.
func (b *Broker) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := kafka.Ping(ctx, kafka.Connection{Brokers: []string{b.address}, Timeout: time.Second})
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-b.exited:
			return fmt.Errorf("the broker ended at once:\n%s", b.Log())
		case <-ctx.Done():
			return fmt.Errorf("the broker does not answer: %w\n%s", err, b.Log())
		}
	}
}

// Address is that of the listener without encryption and authentication.
func (b *Broker) Address() string { return b.address }

// PID is the process id.
func (b *Broker) PID() int { return b.cmd.Process.Pid }

// Secured is a connection to the secured listener for a user.
func (b *Broker) Secured(mechanism, user string) kafka.Connection {
	return kafka.Connection{Brokers: []string{b.secured}, TLS: b.identity.client(), SASL: kafka.SASL{Mechanism: mechanism, User: user, Password: Password}}
}

// Kill ends the process at once, as a crash would. Its data stay.
func (b *Broker) Kill() error {
	if b.cmd == nil {
		return nil
	}
	err := syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
	<-b.exited
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// Stop ends the process; a test needs no clean end of its broker.
func (b *Broker) Stop() error { return b.Kill() }

// Pause stops the process in its tracks, and Resume lets it go on.
func (b *Broker) Pause() error { return syscall.Kill(-b.cmd.Process.Pid, syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (b *Broker) Resume() error { return syscall.Kill(-b.cmd.Process.Pid, syscall.SIGCONT) }

// Log returns the end of what the process wrote.
func (b *Broker) Log() string {
	text, err := os.ReadFile(b.cfg.Log)
	if err != nil {
		return err.Error()
	}
	const most = 4000
	return string(bytes.ToValidUTF8(text[max(0, len(text)-most):], nil))
}

// properties is the configuration: as little as one node on loopback needs.
func (b *Broker) properties() string {
	lines := []string{
		"process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@" + b.controller,
		"controller.listener.names=CONTROLLER", "log.dirs=" + b.path("data"),
		"auto.create.topics.enable=false", "num.partitions=1", "default.replication.factor=1",
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=4",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		"group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=1000",
	}
	listeners, protocols := "PLAINTEXT://"+b.address, "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
	if b.cfg.Secured {
		listeners += ",SECURED://" + b.secured
		protocols += ",SECURED:SASL_SSL"
		lines = append(lines, b.securedProperties()...)
	}
	lines = append(lines, "listeners="+listeners+",CONTROLLER://"+b.controller, "advertised.listeners="+listeners,
		"listener.security.protocol.map="+protocols, "inter.broker.listener.name=PLAINTEXT")
	return strings.Join(lines, "\n") + "\n"
}
