package engine

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// ErrClosed is returned by a connection that was closed.
var ErrClosed = errors.New("engine connection is closed")

// Error is a fault reported by ClickHouse. Its text begins "Code: <n>. DB::Exception:".
type Error struct{ Text string }

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Engine is a loaded library bound to one storage directory.
type Engine struct {
	lib  *library
	args []string

	mu    sync.Mutex
	conns []*Conn
}

// Options of an engine.
type Options struct {
	Library string // path of libchdb.so
	Path    string // storage directory, created when missing
	// Settings are server-level ones (max_server_memory_usage…), which the first
	// connection boots the engine with, and defaults for every connection.
	Settings map[string]string
}

// Open loads the library. A process can open one storage directory only.
func Open(o Options) (*Engine, error) {
	lib, err := load(o.Library)
	if err != nil {
		return nil, err
	}
	// The engine's own handlers would replace those of Go's runtime, which
	// relies on SIGSEGV and SIGURG.
	lib.setSignalHandlers(0)
	args := []string{"strata", "--path=" + o.Path}
	for name, value := range o.Settings {
		args = append(args, "--"+name+"="+value)
	}
	return &Engine{lib: lib, args: args}, nil
}

// Connect opens a connection. The first one boots the engine, which takes a
// good part of a second.
func (e *Engine) Connect() (*Conn, error) {
	argv := make([]*byte, len(e.args)+1) // NULL-terminated, as C's main
	for i, arg := range e.args {
		argv[i] = unsafe.StringData(arg + "\x00")
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	for _, p := range argv[:len(e.args)] {
		pin.Pin(p)
	}
	handle := e.lib.connect(int32(len(e.args)), unsafe.SliceData(argv))
	runtime.KeepAlive(argv)
	if handle == nil {
		return nil, errors.New("ClickHouse engine refused to open its storage directory (see its messages above)")
	}
	c := &Conn{engine: e, handle: handle}
	e.mu.Lock()
	e.conns = append(e.conns, c)
	e.mu.Unlock()
	return c, nil
}

// Close closes every connection, waiting for statements under way. The
// engine's background threads end with the process.
func (e *Engine) Close() {
	e.mu.Lock()
	conns := e.conns
	e.conns = nil
	e.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
}

// Conn is a connection with a session of its own (settings, current database).
// It is safe for concurrent use; statements queue.
type Conn struct {
	engine *Engine

	mu     sync.Mutex
	handle *uintptr // where the library keeps the connection; nil when closed
}

// raw returns what the C functions take; chdb_connect answers a pointer to it.
func (c *Conn) raw() (uintptr, error) {
	if c.handle == nil {
		return 0, ErrClosed
	}
	return *c.handle, nil
}

// Close waits for the statement under way and closes the connection.
func (c *Conn) Close() {
	c.close()
	e := c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = slices.DeleteFunc(e.conns, func(other *Conn) bool { return other == c })
}

func (c *Conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle != nil {
		c.engine.lib.closeConn(c.handle)
		c.handle = nil
	}
}

// Param is a value for a placeholder {name:Type}. The value is text in the
// form of a tab-separated field; the engine parses it by the type, so it can
// never become part of the statement.
type Param struct{ Name, Value string }

// Query runs one statement and returns its whole result in a format of
// ClickHouse ("Native", "TabSeparated"…). Faults of the statement are *Error.
func (c *Conn) Query(sql, format string, params ...Param) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, err := c.raw()
	if err != nil {
		return nil, err
	}
	lib := c.engine.lib
	var result uintptr
	if len(params) == 0 {
		result = lib.query(conn, unsafe.StringData(sql), uintptr(len(sql)), unsafe.StringData(format), uintptr(len(format)))
	} else {
		p := packParams(params)
		result = lib.queryWithParams(conn, unsafe.StringData(sql), uintptr(len(sql)),
			unsafe.StringData(format), uintptr(len(format)),
			unsafe.SliceData(p.names), unsafe.SliceData(p.nameLens),
			unsafe.SliceData(p.values), unsafe.SliceData(p.valueLens), uintptr(len(params)))
		p.pin.Unpin()
	}
	runtime.KeepAlive(sql)
	return lib.take(result)
}

// Insert runs "INSERT INTO table (columns)" with rows encoded in a format.
// It returns when the rows are written.
func (c *Conn) Insert(sql, format string, rows []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, err := c.raw()
	if err != nil {
		return err
	}
	lib := c.engine.lib
	stream := lib.streamInsert(conn, unsafe.StringData(sql), uintptr(len(sql)), unsafe.StringData(format), uintptr(len(format)))
	runtime.KeepAlive(sql)
	defer lib.destroyStream(stream)
	if text := lib.streamError(stream); text != "" {
		return &Error{Text: text}
	}
	if lib.streamAppend(stream, unsafe.SliceData(rows), uintptr(len(rows))) != 0 {
		return &Error{Text: orUnknown(lib.streamError(stream))}
	}
	runtime.KeepAlive(rows)
	_, err = lib.take(lib.streamDone(stream))
	return err
}

// take copies a result out of C memory and frees it.
func (l *library) take(result uintptr) ([]byte, error) {
	if result == 0 {
		return nil, &Error{Text: orUnknown("")}
	}
	defer l.destroyResult(result)
	if text := l.resultError(result); text != "" {
		return nil, &Error{Text: text}
	}
	n := l.resultLength(result)
	if n == 0 {
		return nil, nil
	}
	return slices.Clone(unsafe.Slice(l.resultBuffer(result), n)), nil
}

func orUnknown(text string) string {
	if text == "" {
		return "Code: 1002. DB::Exception: the engine gave no reason"
	}
	return strings.TrimSpace(text)
}

// packedParams are parameters as the parallel C arrays the library takes.
type packedParams struct {
	names, values       []*byte
	nameLens, valueLens []uintptr
	pin                 runtime.Pinner
}

func packParams(params []Param) *packedParams {
	p := &packedParams{}
	add := func(s string) (*byte, uintptr) {
		b := unsafe.StringData(s + "\x00") // never nil, also for ""
		p.pin.Pin(b)
		return b, uintptr(len(s))
	}
	for _, param := range params {
		name, n := add(param.Name)
		value, v := add(param.Value)
		p.names, p.nameLens = append(p.names, name), append(p.nameLens, n)
		p.values, p.valueLens = append(p.values, value), append(p.valueLens, v)
	}
	return p
}
