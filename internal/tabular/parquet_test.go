package tabular_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"strata/internal/tabular"
)

type record struct {
	ID    int64     `parquet:"id"`
	Small int32     `parquet:"small,optional"`
	Big   uint64    `parquet:"big"`
	Score *float64  `parquet:"score,optional"`
	Name  string    `parquet:"name"`
	Yes   bool      `parquet:"yes"`
	At    time.Time `parquet:"at,timestamp(microsecond)"`
	Day   int32     `parquet:"day,date"`
	Price int64     `parquet:"price,decimal(2:10)"`
	Key   [16]byte  `parquet:"key,uuid"`
	Tags  []string  `parquet:"tags,list"`
	Place struct {
		City string `parquet:"city"`
	} `parquet:"place"`
}

func parquetFile(t testing.TB, rows []record) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[record](&b, parquet.MaxRowsPerRowGroup(100), parquet.Compression(&parquet.Zstd))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func records(n int) []record {
	score := 0.5
	out := make([]record, n)
	for i := range out {
		out[i] = record{ID: int64(i), Big: 1 << 63, Name: fmt.Sprintf("n%d", i), Yes: true, At: time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC),
			Day: 19724, Price: -1250, Key: [16]byte{15: 1}, Tags: []string{"a", "b"}}
		out[i].Place.City = "Ulm"
		if i%2 == 1 {
			out[i].Score, out[i].Small, out[i].Tags = &score, 7, nil
		}
	}
	return out
}

func TestParquet(t *testing.T) {
	r := open(t, "x.parquet", string(parquetFile(t, records(250))))
	want := "id integer, small integer?, big integer, score number?, name string, yes boolean, at datetime, day datetime, price number, key string, tags.list.element string?, place.city string"
	if got := schemaText(r.Schema()); got != want {
		t.Errorf("schema %s, want %s", got, want)
	}
	rows := all(t, r)
	if len(rows) != 250 {
		t.Fatalf("%d rows", len(rows))
	}
	if want := `[0,null,9223372036854776000,null,"n0",true,"2024-01-02T03:04:05.000006Z","2024-01-02T00:00:00Z",-12.5,"00000000-0000-0000-0000-000000000001","[\"a\",\"b\"]","Ulm"]`; rows[0] != want {
		t.Errorf("row 0 %s, want %s", rows[0], want)
	}
	if want := `[249,7,9223372036854776000,0.5,"n249",true,"2024-01-02T03:04:05.000006Z","2024-01-02T00:00:00Z",-12.5,"00000000-0000-0000-0000-000000000001",null,"Ulm"]`; rows[249] != want {
		t.Errorf("row 249 %s, want %s", rows[249], want)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Next(); err == nil {
		t.Error("read after it was closed")
	}
}

// A damaged file is an error at some point, never a panic and never a file that
// looks whole but for some rows.
func FuzzParquet(f *testing.F) {
	whole := parquetFile(f, records(20))
	f.Add(whole, 100, byte(1))
	f.Add(whole, len(whole)-20, byte(0x80))
	f.Fuzz(func(t *testing.T, data []byte, at int, with byte) {
		if len(data) > 1<<16 {
			return
		}
		damaged := bytes.Clone(data)
		if at >= 0 && at < len(damaged) {
			damaged[at] ^= with
		}
		read(t, "x.parquet", damaged)
	})
}

func FuzzText(f *testing.F) {
	f.Add("x.csv", []byte("a,b\n1,\"2\n3\"\n"))
	f.Add("x.jsonl", []byte("{\"a\":1}\n{\"b\":[1,{}]}\n"))
	f.Add("x.csv.gz", []byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if len(data) <= 1<<16 {
			read(t, name, data)
		}
	})
}

// read reads and describes whatever it is; rows are as wide as the schema.
func read(t *testing.T, name string, data []byte) {
	r, err := tabular.Open(t.Context(), file{name, data}, tabular.Options{Sample: 2})
	if err != nil {
		return
	}
	profiler := tabular.NewProfiler()
	for range 10_000 {
		row, err := r.Next()
		if err != nil {
			break
		}
		if len(row) != len(r.Schema()) {
			t.Fatalf("a row of %d cells, a schema of %d columns", len(row), len(r.Schema()))
		}
		profiler.Add(row)
	}
	for _, c := range profiler.Profile(r.Schema()).Columns {
		if _, err := c.Min.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
		if c.Distinct > c.Count {
			t.Fatalf("%d distinct of %d", c.Distinct, c.Count)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
