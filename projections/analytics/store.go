package analytics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse"
)

// maxBatchBytes bounds the payloads of one INSERT. It stays below the size at
// which ClickHouse would make two parts of one block.
const maxBatchBytes = 32 << 20

// maxChunkRows bounds the rows of one INSERT, so that a large batch is several
// and can be encoded and written side by side.
const maxChunkRows = 25_000

// statementTime bounds a batch at a server. The embedded engine needs no bound:
// it answers or its process ends, and either ends the statement.
const statementTime = time.Minute

// partition is one month of one table: the unit in which inserts are atomic
// and in the order of positions.
type partition struct {
	table string
	month month
}

// store writes batches. It remembers what the tables hold and, after any
// fault, looks again: an INSERT whose answer was lost may have succeeded.
type store struct {
	db     *clickhouse.DB
	layout layout
	shards uint64       // of the cluster; 1 without one
	lane   uint16       // whose rows it writes and looks at; see Lane
	may    func() error // asked before every INSERT: whether the lane is still ours

	known      bool                 // the fields below are what the tables hold
	progress   uint64               // everything up to here is complete
	watermarks map[partition]uint64 // highest position of a partition, if above progress
	counted    map[partition]uint64 // highest position a partition of a rollup counts
	pending    map[month]uint64     // months with rows that rollups may lack: their highest position
}

func newStore(db *clickhouse.DB, lane uint16, may func() error) *store {
	return &store{db: db, layout: layoutOf(db), shards: 1, lane: lane, may: may}
}

// write brings a batch into all tables and rollups. When it returns nil the
// batch is complete; on an error any part of it may be in, and the same or
// another batch beginning at the same item can be written.
func (s *store) write(ctx context.Context, items []Item) (err error) {
	// A batch does not end with the caller's context: the engine would go on
	// with an INSERT that nobody waits for, and the next attempt could look at
	// the tables just before that INSERT appears in them.
	ctx = context.WithoutCancel(ctx)
	if !s.db.Embedded() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, statementTime)
		defer cancel()
	}
	conn := s.db.Conn()
	if !s.known {
		if err := s.look(ctx, conn); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			s.known = false
		}
	}()
	if err := s.insertAll(ctx, conn, s.split(items)); err != nil {
		return err
	}
	if err := s.rollUp(ctx, conn, s.width(len(items))); err != nil {
		return err
	}
	return s.advance(ctx, uint64(items[len(items)-1].Position))
}

// topicOf names a lane in writer_progress and writer_owner.
func topicOf(lane uint16) string {
	if lane == 0 {
		return Topic
	}
	return fmt.Sprintf("%s/%d", Topic, lane)
}

// readProgress returns the position up to which everything of a lane is complete.
func readProgress(ctx context.Context, conn driver.Conn, l layout, lane uint16) (domain.Position, error) {
	return readProgressOf(ctx, conn, l, topicOf(lane))
}

func readProgressOf(ctx context.Context, conn driver.Conn, l layout, topic string) (domain.Position, error) {
	var position uint64
	err := conn.QueryRow(l.consistent(ctx), "SELECT max(position) FROM writer_progress WHERE topic = {topic:String}", ch.Named("topic", topic)).Scan(&position)
	if err != nil {
		return 0, fmt.Errorf("read progress: %w", err)
	}
	return domain.Position(position), nil
}

// look reads from the tables what is beyond the progress.
func (s *store) look(ctx context.Context, conn driver.Conn) error {
	if err := s.quiet(ctx, conn); err != nil {
		return err
	}
	progress, err := readProgress(ctx, conn, s.layout, s.lane)
	if err != nil {
		return err
	}
	if s.shards, err = s.layout.shards(ctx, conn); err != nil {
		return err
	}
	s.progress = uint64(progress)
	s.watermarks, s.counted, s.pending = map[partition]uint64{}, map[partition]uint64{}, map[month]uint64{}
	for _, t := range []struct{ table, time string }{{rowsTable.name, "ts"}, {payloadsTable.name, "recorded_at"}} {
		err := s.lookAt(ctx, conn, t.table, t.time)
		if err != nil {
			return fmt.Errorf("read what %s holds: %w", t.table, err)
		}
	}
	s.known = true
	return nil
}

// quiet waits until a server works on no INSERT of the lane any more: one whose
// sender was killed or gave up could appear in the tables just after they were
// looked at.
func (s *store) quiet(ctx context.Context, conn driver.Conn) error {
	if s.db.Embedded() {
		return nil
	}
	tick := time.NewTicker(quietPoll)
	defer tick.Stop()
	for {
		var running uint64
		err := conn.QueryRow(ctx, "SELECT count() FROM "+s.layout.systemTable("processes")+
			" WHERE query_kind = 'Insert' AND current_database = currentDatabase() AND Settings['log_comment'] = {lane:String}",
			ch.Named("lane", topicOf(s.lane))).Scan(&running)
		if err != nil {
			return fmt.Errorf("look for running inserts: %w", err)
		}
		if running == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d inserts still run: %w", running, ctx.Err())
		}
	}
}

// quietPoll is how often it is looked whether inserts still run.
const quietPoll = 100 * time.Millisecond

func (s *store) lookAt(ctx context.Context, conn driver.Conn, table, timeColumn string) error {
	rows, err := conn.Query(s.layout.consistent(ctx), "SELECT toUInt32(toYYYYMM("+timeColumn+")) AS month, max(position) FROM "+table+
		" WHERE position > {progress:UInt64} AND lane = {lane:UInt16} GROUP BY month", ch.Named("progress", s.progress), ch.Named("lane", s.lane))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var m uint32
		var position uint64
		if err := rows.Scan(&m, &position); err != nil {
			return err
		}
		s.watermarks[partition{table, month(m)}] = position
		if table == rowsTable.name {
			s.pending[month(m)] = position
		}
	}
	return rows.Err()
}

// chunk is what one INSERT carries: rows of one partition.
type chunk struct {
	table       table
	month       month
	first, last uint64
	bytes       int
	items       []Item
}

// split sorts items into chunks, leaving out what the tables hold already.
// The chunks of one partition are in order of position.
func (s *store) split(items []Item) []*chunk {
	var chunks []*chunk
	open := map[partition]*chunk{}
	add := func(t table, m month, size int, it Item) {
		p, position := partition{t.name, m}, uint64(it.Position)
		if position <= max(s.progress, s.watermarks[p]) {
			return
		}
		c := open[p]
		if c == nil || c.bytes+size > maxBatchBytes || len(c.items) == maxChunkRows {
			c = &chunk{table: t, month: m, first: position}
			open[p] = c
			chunks = append(chunks, c)
		}
		c.last, c.bytes, c.items = position, c.bytes+size, append(c.items, it)
	}
	for _, it := range items {
		switch fact := it.Fact.(type) {
		case inference.Recorded:
			add(rowsTable, monthOf(startedAt(it, fact)), rowSize(fact), it)
		case inference.PayloadRecorded:
			add(payloadsTable, monthOf(sane(it.RecordedAt, minTime)), len(fact.Request)+len(fact.Response), it)
		default:
			// An erased payload, or a fact of a later version: it has no row.
		}
	}
	return chunks
}

// rowSize estimates the bytes of a row; only what can be large is counted.
func rowSize(r inference.Recorded) int {
	size := 400 + len(r.Error)
	for key, value := range r.Metadata {
		size += len(key) + len(value)
	}
	return size
}

// encoded is a chunk ready to be sent.
type encoded struct {
	*chunk
	batch driver.Batch
	err   error
}

// insertAll writes chunks one after another. While the engine takes one, the
// next is being encoded: either takes about as long.
func (s *store) insertAll(ctx context.Context, conn driver.Conn, chunks []*chunk) error {
	next := make(chan encoded)
	stop := make(chan struct{})
	var encoding sync.WaitGroup
	encoding.Go(func() {
		defer close(next)
		for _, c := range chunks {
			batch, err := s.encode(ctx, conn, c)
			select {
			case next <- encoded{c, batch, err}:
			case <-stop:
				if batch != nil {
					_ = batch.Abort() // frees its connection; nothing was sent
				}
				return
			}
		}
	})
	defer encoding.Wait()
	defer close(stop)
	for e := range next {
		if e.err != nil {
			return e.err
		}
		if err := s.may(); err != nil {
			return errors.Join(err, e.batch.Abort())
		}
		if err := e.batch.Send(); err != nil {
			return fmt.Errorf("insert into %s: %w", e.table.name, err)
		}
		s.watermarks[partition{e.table.name, e.month}] = e.last
		if e.table.name == rowsTable.name {
			s.pending[e.month] = e.last
		}
	}
	return nil
}

// plain turns LowCardinality(String) into String: the engine makes the
// dictionaries itself, several times faster than the driver.
var plain = strings.NewReplacer(lowString, "String")

// encode makes one block of a chunk, which the engine writes atomically.
func (s *store) encode(ctx context.Context, conn driver.Conn, c *chunk) (driver.Batch, error) {
	columns := make([]ch.ColumnNameAndType, 0, len(c.table.types)+1)
	for _, t := range c.table.types {
		columns = append(columns, ch.ColumnNameAndType{Name: t.name, Type: plain.Replace(t.typ)})
	}
	columns = append(columns, ch.ColumnNameAndType{Name: "lane", Type: "UInt16"})
	settings := s.insertSettings(fmt.Sprintf("%s:%d:%d:%d-%d:%d", c.table.name, s.lane, c.month, c.first, c.last, len(c.items)))
	ctx = ch.Context(ctx, ch.WithSettings(settings), ch.WithColumnNamesAndTypes(columns))
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+c.table.name+" ("+c.table.columns+", lane)")
	if err != nil {
		return nil, fmt.Errorf("prepare batch for %s: %w", c.table.name, err)
	}
	for _, it := range c.items {
		if err := batch.Append(append(c.table.values(it), s.lane)...); err != nil {
			return nil, errors.Join(fmt.Errorf("encode row for %s: %w", c.table.name, err), batch.Abort())
		}
	}
	return batch, nil
}

// insertSettings make an INSERT synchronous, and say whose it is. On a cluster, whose tables are
// replicated, they also name it by a token: of two attempts at the same block
// one is dropped. Elsewhere there is none: a kill between a server's note of a
// token and its commit of the rows would make it refuse rows that it does not
// have. There an attempt that outlives its sender is waited for (see quiet).
func (s *store) insertSettings(token string) ch.Settings {
	settings := s.layout.settings()
	settings["async_insert"], settings["insert_deduplicate"] = 0, 0
	settings["log_comment"] = topicOf(s.lane)
	if s.layout.isCluster() {
		settings["insert_deduplicate"], settings["insert_deduplication_token"] = 1, token
		settings["insert_shard_id"] = shardOf(token, s.shards)
	}
	return settings
}

// largeBatch is from how many items on it pays to have the engine fill all
// rollups at once.
const largeBatch = 5000

// width is how many rollups are filled side by side after a batch. The embedded
// engine fills them one after another when the batch is small: filled at once
// they take every processor for some 20 ms each second, and model calls that come
// just then wait for one.
func (s *store) width(items int) int {
	if s.db.Embedded() && items < largeBatch {
		return 1
	}
	return len(rollups)
}

// rollUp brings the rollups of every touched month up to its rows, some of them
// side by side.
func (s *store) rollUp(ctx context.Context, conn driver.Conn, width int) error {
	months := make([]month, 0, len(s.pending))
	for m := range s.pending {
		months = append(months, m)
	}
	slices.Sort(months)
	for _, m := range months {
		for _, r := range rollups {
			if err := s.lookAtRollup(ctx, conn, r, m); err != nil {
				return fmt.Errorf("read what %s counts of %d: %w", r.name, m, err)
			}
		}
		// A rollup reads the rows and writes itself only, so they can be filled side
		// by side. A fault of one does not cancel the others: their INSERTs would go on
		// in the engine with nobody waiting for them.
		var g errgroup.Group
		g.SetLimit(width)
		for _, r := range rollups {
			g.Go(func() error {
				if err := s.fill(ctx, conn, r, m, s.pending[m]); err != nil {
					return fmt.Errorf("fill %s of %d: %w", r.name, m, err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, r := range rollups {
			p := partition{r.name, m}
			s.counted[p] = max(s.counted[p], s.pending[m])
		}
		delete(s.pending, m)
	}
	return nil
}

// advance records that everything up to a position is complete.
func (s *store) advance(ctx context.Context, position uint64) error {
	if err := s.may(); err != nil {
		return err
	}
	if err := (Tables{s.db, s.layout}).Advance(ctx, topicOf(s.lane), domain.Position(position)); err != nil {
		return err
	}
	s.progress = position
	return nil
}
