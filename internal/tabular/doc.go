// Package tabular reads tables: CSV, JSON lines and Parquet files, as a stream
// of rows whose cells know their own type, and describes what is in them.
//
// [Open] looks at the first rows and says which columns there are and of which
// type; [Reader.Next] then yields every row, the first ones too. Cells are typed
// one by one, because a file need not keep what its beginning promises: a column
// is of the narrowest type that holds all its cells ([Join]), and only reading
// to the end tells which that is. [Profile] does so, in one pass and bounded
// memory, and adds what the columns hold: counts, extremes, moments, quantiles,
// distinct and most frequent values.
//
// Where a file comes from is a [Source]: something that yields ranges of bytes.
// Rows are never all in memory, and a file of any size can be read; what one row
// may take is bounded.
package tabular
