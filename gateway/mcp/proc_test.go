package mcp_test

import (
	"os"
	"strconv"
	"strings"
)

// processState is the state of a process as Linux tells it, "" when there is none.
func processState(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}
