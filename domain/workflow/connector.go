package workflow

import "math"

// ConnectorConfig is the config of a connector node.
type ConnectorConfig struct {
	Connector string     `json:"connector"` // id
	Operation string     `json:"operation"`
	Prefix    FilledText `json:"prefix"` // of the files that are listed
	File      FilledText `json:"file"`
	Offset    int        `json:"offset"` // rows to leave out from the beginning
	Limit     int        `json:"limit"`  // of files or rows
}

// What a connector node does.
const (
	ListFiles = "list" // lists files
	ReadFile  = "read" // reads a file as a text
	ReadRows  = "rows" // reads rows of a file that is a table
)

// How many files or rows a connector node reads: where it does not say, and at most.
const (
	DefaultRows = 100
	MaxRows     = 1000
)

func (c *checker) connector(n *Node, config string) {
	c.required(n, config, "connector")
	c.required(n, config, "operation")
	c.oneOf(n, config, "operation", ListFiles, ReadFile, ReadRows)
	if does := n.Text("operation"); does == ReadFile || does == ReadRows {
		c.required(n, config, "file")
	}
	c.optionalText(n, config, "prefix")
	c.optionalText(n, config, "file")
	c.optionalNumber(n, config, "offset", 0, math.MaxInt32)
	c.optionalNumber(n, config, "limit", 1, MaxRows)
}
