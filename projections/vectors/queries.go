package vectors

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
	"strata/internal/clickhouse"
	"strata/projections/analytics"
)

// Metric is how near two vectors are.
type Metric string

// The metrics, and the score they give, of which more is nearer.
const (
	Cosine       Metric = "cosine"        // 1 - cosine distance: from -1 to 1
	L2           Metric = "l2"            // 1 / (1 + distance): up to 1
	InnerProduct Metric = "inner_product" // the product itself
)

// MaxResults is the most a search answers with.
const MaxResults = 1000

// Query is what is looked for. Workspace and Indexes say where and must be the
// caller's; everything else is optional, but one of Vector and Words.
type Query struct {
	Workspace string
	Indexes   []string
	Items     []string // only in these, when there are any
	Model     string   // of the vectors that Vector may be compared with
	Vector    []float32
	Metric    Metric // default Cosine
	Words     string // text whose words count
	// VectorWeight says what nearness weighs against words when both are given,
	// from 0 to 1. Default 0.6.
	VectorWeight float64
	Filter       *Filter
	MinScore     *float64 // only what scores at least so much
	Limit        int      // default 10, at most MaxResults
}

// Match is a piece of text that was found.
type Match struct {
	Index, Item string
	Ordinal     int
	Text        string
	Metadata    domain.Doc
	Score       float64 // what the result is ordered by
	Similarity  float64 // by the metric, 0 without a vector
	Words       float64 // how well the words fit, from 0 to 1
}

// Piece is a piece of an item's text.
type Piece struct {
	Ordinal  int
	Text     string
	Metadata domain.Doc
}

// Queries reads the table. Every answer is of one tenant: the caller must have
// checked that the indexes are the workspace's to see. Errors: "service
// unavailable" while the engine is away, validation for what cannot be asked.
type Queries struct {
	db           *clickhouse.DB
	installation func(ctx context.Context) (string, error)
}

// NewQueries makes queries over db; installation is the writer's. Without a database
// nothing can be asked.
func NewQueries(db *clickhouse.DB, installation func(ctx context.Context) (string, error)) *Queries {
	return &Queries{db: db, installation: installation}
}

// there tells whether this process has ClickHouse.
func (q *Queries) there() error {
	if q.db == nil {
		return domain.Errorf(domain.CodeUnavailable, "this node does not search: it is given no ClickHouse server")
	}
	return nil
}

const defaultVectorWeight = 0.6

// Search finds the pieces that fit best, the best first; of equals the first in
// order of item and ordinal.
func (q *Queries) Search(ctx context.Context, s Query) ([]Match, error) {
	if err := q.there(); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	terms := termsOf(s.Words)
	if len(s.Indexes) == 0 || (len(s.Vector) == 0 && len(terms) == 0) {
		return nil, nil
	}
	where := s.where()
	var weights *weighed
	if len(terms) > 0 {
		var err error
		if weights, err = q.weigh(ctx, where, slices.Compact(terms)); err != nil {
			return nil, err
		}
	}
	return q.find(ctx, s, where, weights)
}

func (s *Query) check() error {
	s.Limit, s.VectorWeight = orDefault(s.Limit, 10), orDefault(s.VectorWeight, defaultVectorWeight)
	if s.Metric == "" {
		s.Metric = Cosine
	}
	var f domain.Faults
	f.Add(s.Limit < 1 || s.Limit > MaxResults, "top_k", "must be between 1 and %d", MaxResults)
	f.Add(s.VectorWeight < 0 || s.VectorWeight > 1, "vector_weight", "must be between 0 and 1")
	f.Add(!slices.Contains([]Metric{Cosine, L2, InnerProduct}, s.Metric), "metric", "must be cosine, l2 or inner_product")
	return f.Err()
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// where says which rows are looked at.
func (s *Query) where() *condition {
	c := &condition{}
	c.sql.WriteString("workspace_id = " + c.param("String", s.Workspace) + " AND index_id IN " + c.param("Array(String)", s.Indexes))
	if len(s.Items) > 0 {
		c.sql.WriteString(" AND item_id IN " + c.param("Array(String)", s.Items))
	}
	if len(s.Vector) > 0 { // others cannot be compared
		c.sql.WriteString(" AND model = " + c.param("String", s.Model) + " AND length(embedding) = " + c.param("UInt32", uint32(len(s.Vector)))) //nolint:gosec // a length
	}
	if s.Filter != nil {
		c.sql.WriteString(" AND ")
		c.filter(s.Filter)
	}
	return c
}

// weighed are the terms of a query with what they tell (BM25's idf), and how long
// a text is on average.
type weighed struct {
	terms   []uint32
	weights []float64
	total   float64
	average float64
}

// weigh counts in how many of the rows each term occurs.
func (q *Queries) weigh(ctx context.Context, where *condition, terms []uint32) (*weighed, error) {
	var n uint64
	var average float64
	var counts []uint64
	args := append(slices.Clone(where.args), ch.Named("terms", terms))
	err := q.db.Conn().QueryRow(ctx, "SELECT count(), ifNotFinite(avg(length(terms)), 0), sumForEach(arrayMap(t -> toUInt64(has(terms, t)), {terms:Array(UInt32)}))"+
		" FROM vectors FINAL WHERE "+where.sql.String(), args...).Scan(&n, &average, &counts)
	if err != nil {
		return nil, q.db.Explain("count words", err)
	}
	w := &weighed{terms: terms, average: max(average, 1)}
	for i := range terms {
		in := 0.0
		if i < len(counts) {
			in = float64(counts[i])
		}
		weight := math.Log(1 + (float64(n)-in+0.5)/(in+0.5))
		w.weights = append(w.weights, weight)
		w.total += weight
	}
	return w, nil
}

// BM25's constants: how soon more of a word says nothing more, and how much a long
// text is held back.
const (
	saturation   = 1.2
	lengthWeight = 0.75
)

// words writes the score of words: 1 when a text of average length holds each once.
func (w *weighed) words(c *condition) string {
	if w == nil {
		return "0."
	}
	terms, weights := c.param("Array(UInt32)", w.terms), c.param("Array(Float64)", w.weights)
	long := fmt.Sprintf("%g * (%g + %g * length(terms) / %s)", saturation, 1-lengthWeight, lengthWeight, c.param("Float64", w.average))
	return fmt.Sprintf("least(1., arraySum((t, w) -> w * countEqual(terms, t) * %g / (countEqual(terms, t) + %s), %s, %s) / %s)",
		1+saturation, long, terms, weights, c.param("Float64", w.total))
}

// similarity writes the score of nearness.
func (s *Query) similarity(c *condition) string {
	if len(s.Vector) == 0 {
		return "0."
	}
	v := "reinterpret(base64Decode(" + c.param("String", packed(s.Vector)) + "), 'Array(Float32)')"
	switch s.Metric {
	case L2:
		return "1. / (1. + L2Distance(embedding, " + v + "))"
	case InnerProduct:
		return "toFloat64(dotProduct(embedding, " + v + "))"
	default: // of a vector without length the distance is no number
		return "ifNotFinite(1. - cosineDistance(embedding, " + v + "), 0.)"
	}
}

// packed is a vector as the engine unpacks it: a tenth of what its digits take.
func packed(v []float32) string {
	raw := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func (q *Queries) find(ctx context.Context, s Query, where *condition, w *weighed) ([]Match, error) {
	score := "similarity"
	switch {
	case len(s.Vector) == 0:
		score = "words"
	case w != nil:
		vector := where.param("Float64", s.VectorWeight)
		score = vector + " * greatest(0., similarity) + (1. - " + vector + ") * words"
	}
	keep := ""
	if len(s.Vector) == 0 {
		keep = " AND words > 0"
	}
	if s.MinScore != nil {
		keep += " AND score >= " + where.param("Float64", *s.MinScore)
	}
	sql := "SELECT index_id, item_id, ordinal, text, metadata, toFloat64(" + score + ") AS score, toFloat64(similarity), toFloat64(words) FROM (" +
		"SELECT index_id, item_id, ordinal, text, metadata, " + s.similarity(where) + " AS similarity, " + w.words(where) + " AS words" +
		" FROM vectors FINAL WHERE " + where.sql.String() + ") WHERE 1" + keep +
		" ORDER BY score DESC, index_id, item_id, ordinal LIMIT " + where.param("UInt32", uint32(s.Limit)) //nolint:gosec // at most MaxResults
	// Reading texts of the winners only, afterwards, is what the engine gets wrong
	// over distributed tables.
	ctx = ch.Context(ctx, ch.WithSettings(ch.Settings{"query_plan_optimize_lazy_materialization": 0}))
	rows, err := q.db.Conn().Query(ctx, sql, where.args...)
	if err != nil {
		return nil, q.db.Explain("search vectors", err)
	}
	defer rows.Close()
	var found []Match
	for rows.Next() {
		var m Match
		var ordinal uint32
		var metadata string
		if err := rows.Scan(&m.Index, &m.Item, &ordinal, &m.Text, &metadata, &m.Score, &m.Similarity, &m.Words); err != nil {
			return nil, q.db.Explain("search vectors", err)
		}
		m.Ordinal = int(ordinal)
		if err := json.Unmarshal([]byte(metadata), &m.Metadata); err != nil {
			return nil, fmt.Errorf("metadata of %s: %w", m.Item, err)
		}
		found = append(found, m)
	}
	return found, q.db.Explain("search vectors", rows.Err())
}

// Pieces lists an item's pieces behind an ordinal, at most so many; -1 begins.
func (q *Queries) Pieces(ctx context.Context, workspace, index, item string, after, limit int) ([]Piece, error) {
	if err := q.there(); err != nil {
		return nil, err
	}
	rows, err := q.db.Conn().Query(ctx, "SELECT ordinal, text, metadata FROM vectors FINAL WHERE workspace_id = {workspace:String} AND index_id = {index:String}"+
		" AND item_id = {item:String} AND toInt64(ordinal) > {after:Int64} ORDER BY ordinal LIMIT {limit:UInt32}",
		ch.Named("workspace", workspace), ch.Named("index", index), ch.Named("item", item), ch.Named("after", int64(after)), ch.Named("limit", uint32(limit))) //nolint:gosec // a page
	if err != nil {
		return nil, q.db.Explain("list pieces", err)
	}
	defer rows.Close()
	var all []Piece
	for rows.Next() {
		var p Piece
		var ordinal uint32
		var metadata string
		if err := rows.Scan(&ordinal, &p.Text, &metadata); err != nil {
			return nil, q.db.Explain("list pieces", err)
		}
		p.Ordinal = int(ordinal)
		if err := json.Unmarshal([]byte(metadata), &p.Metadata); err != nil {
			return nil, fmt.Errorf("metadata of %s: %w", item, err)
		}
		all = append(all, p)
	}
	return all, q.db.Explain("list pieces", rows.Err())
}

// Count is how many pieces some indexes of a workspace hold.
func (q *Queries) Count(ctx context.Context, workspace string, indexes ...string) (int, error) {
	if err := q.there(); err != nil {
		return 0, err
	}
	var n uint64
	err := q.db.Conn().QueryRow(ctx, "SELECT count() FROM vectors FINAL WHERE workspace_id = {workspace:String} AND index_id IN {indexes:Array(String)}",
		ch.Named("workspace", workspace), ch.Named("indexes", indexes)).Scan(&n)
	return int(n), q.db.Explain("count vectors", err) //nolint:gosec // a count
}

// waitPoll is how often it is looked how far the writer is.
const waitPoll = 20 * time.Millisecond

// Wait returns when everything the log says was embedded up to a position can be
// found. The position must be of an event that the writer follows.
func (q *Queries) Wait(ctx context.Context, position domain.Position) error {
	if err := q.there(); err != nil {
		return err
	}
	if err := q.db.WaitReady(ctx); err != nil {
		return err
	}
	tables := analytics.TablesOf(q.db)
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	for {
		at, err := progress(ctx, tables, q.installation)
		if err == nil && at >= position {
			return nil
		}
		if err != nil && !clickhouse.Unreachable(err) {
			return q.db.Explain("wait for vectors", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("vectors are behind: %w", ctx.Err())
		}
	}
}
