package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options configure a log. The zero value of every field means its default.
type Options struct {
	// SegmentSize is the size in bytes at which a segment is closed and the
	// next begun, and the space reserved for it. Default 64 MiB; at least
	// 4 KiB, at most 2 GiB. It may change between openings.
	SegmentSize int64

	// MaxEventSize limits data, metadata and type of one event together, in
	// bytes. Default 4 MiB.
	MaxEventSize int

	// MaxAppendSize limits the encoded events of one append, in bytes.
	// Default 16 MiB, at most 512 MiB.
	MaxAppendSize int

	// RepeatWindow is the number of latest events of the log among which a
	// repeated append with Any or StreamExists is recognised. (With an exact
	// revision or NoStream it is recognised for ever.) It costs 4 bytes of
	// memory per event. Default 1,048,576.
	RepeatWindow int

	// HeadCache is the number of stream heads kept in memory beyond those of
	// the segment being written; about 300 bytes each. Default 65,536.
	HeadCache int

	// NoSync leaves out every sync: acknowledged events may be lost when the
	// machine stops. For tests only.
	NoSync bool

	// FS is the file system. Default: the operating system's.
	FS FS

	// Clock tells the time at which events are recorded. Default [time.Now].
	Clock func() time.Time

	// Logger hears of recoveries and of index files built again. Default:
	// nothing is logged.
	Logger *slog.Logger
}

const (
	minSegmentSize = 4 << 10
	maxSegmentSize = 2 << 30
	maxAppendLimit = 512 << 20
)

func (o *Options) setDefaults() {
	setDefault(&o.SegmentSize, 64<<20)
	setDefault(&o.MaxEventSize, 4<<20)
	setDefault(&o.MaxAppendSize, 16<<20)
	setDefault(&o.RepeatWindow, 1<<20)
	setDefault(&o.HeadCache, 1<<16)
	if o.FS == nil {
		o.FS = OS()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T int | int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Validate names everything that is wrong with the options, defaults applied.
func (o Options) Validate() error {
	o.setDefaults()
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(o.SegmentSize >= minSegmentSize && o.SegmentSize <= maxSegmentSize,
		"SegmentSize is %d, not within %d and %d", o.SegmentSize, minSegmentSize, maxSegmentSize)
	check(o.MaxEventSize > 0, "MaxEventSize is %d, not positive", o.MaxEventSize)
	check(o.MaxAppendSize > 0 && o.MaxAppendSize <= maxAppendLimit,
		"MaxAppendSize is %d, not within 1 and %d", o.MaxAppendSize, maxAppendLimit)
	check(o.RepeatWindow > 0, "RepeatWindow is %d, not positive", o.RepeatWindow)
	check(o.HeadCache > 0, "HeadCache is %d, not positive", o.HeadCache)
	return errors.Join(faults...)
}
