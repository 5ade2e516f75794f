package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table is what is printed: one row per measure.
type table struct{ rows [][5]string }

var tableHead = [5]string{"part", "measure", "value", "beside it", "goal"}

// add adds a row. beside is what to compare the value with.
func (t *table) add(part, measure, value, beside string) {
	t.rows = append(t.rows, [5]string{part, measure, value, beside, ""})
}

// goal adds a row of a measure that has a goal, and says whether it was met in
// this run.
func (t *table) goal(part, measure, value, beside, goal string, met bool) {
	verdict := goal + ": not met"
	if met {
		verdict = goal + ": met"
	}
	t.rows = append(t.rows, [5]string{part, measure, value, beside, verdict})
}

func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := ""
	for _, row := range append([][5]string{tableHead}, t.rows...) {
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
	lines := []string{"| " + strings.Join(tableHead[:], " | ") + " |", "| --- | --- | ---: | --- | --- |"}
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

// times writes a ratio: 31 x; "-" when there is nothing to compare with.
func times(part, whole float64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f x", part/whole)
}
