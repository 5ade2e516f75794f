package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table is what is printed: one row per measure.
type table struct{ rows [][4]string }

var tableHead = [4]string{"part", "measure", "value", "beside it"}

// add adds a row. beside is what to compare the value with.
func (t *table) add(part, measure, value, beside string) {
	t.rows = append(t.rows, [4]string{part, measure, value, beside})
}

func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := ""
	for _, row := range append([][4]string{tableHead}, t.rows...) {
		part := row[0]
		if part == last {
			row[0] = ""
		}
		last = part
		fmt.Fprintln(tw, strings.Join(row[:], "\t"))
	}
	return tw.Flush()
}

func (t *table) markdown(w io.Writer) error {
	lines := []string{"| " + strings.Join(tableHead[:], " | ") + " |", "| --- | --- | ---: | --- |"}
	for _, row := range t.rows {
		lines = append(lines, "| "+strings.Join(row[:], " | ")+" |")
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// count writes a number with separators: 125,000.
func count(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// percent writes a ratio: 62 %.
func percent(part, whole float64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*part/whole)
}
