package documents

import (
	"math"
	"strconv"
	"time"
)

// lastDay is 9999-12-31, the last that spreadsheets know.
const lastDay = 2_958_465

// dateOf writes a day number with a fraction as a date. What is no such number
// stays as it is.
func dateOf(v string, from04 bool) string {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n < 0 || n >= lastDay+1 {
		return v
	}
	day, fraction := math.Modf(n)
	seconds := int(math.Round(fraction * 24 * 60 * 60))
	if day == 0 && seconds > 0 && !from04 {
		return time.Unix(int64(seconds), 0).UTC().Format(time.TimeOnly)
	}
	start := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case from04:
		start = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case day < 60: // 1900 was no leap year, but the day after its 28 February is counted
		start = start.AddDate(0, 0, 1)
	}
	at := start.AddDate(0, 0, int(day)).Add(time.Duration(seconds) * time.Second)
	if seconds == 0 {
		return at.Format(time.DateOnly)
	}
	return at.Format("2006-01-02T15:04:05")
}
