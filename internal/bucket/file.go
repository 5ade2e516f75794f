package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"strata/domain"
)

// File is a file at one moment: should it be replaced while it is read, reading
// fails rather than give half of each.
type File struct {
	Object
	b *Bucket
}

// Open looks at a file to read it. Errors: as [Bucket.Stat].
func (b *Bucket) Open(ctx context.Context, key string) (*File, error) {
	o, err := b.Stat(ctx, key)
	return &File{Object: o, b: b}, err
}

// Name is the file's key.
func (f *File) Name() string { return f.Key }

// Size is the file's size in bytes.
func (f *File) Size() int64 { return f.Object.Size }

const (
	stall   = time.Minute // without a byte
	resumes = 3           // connections in a row that bring nothing
)

// Range reads n bytes from an offset, to the end of the file when n is negative.
// A connection that breaks or falls silent is made anew where it ended.
func (f *File) Range(ctx context.Context, offset, n int64) (io.ReadCloser, error) {
	end := f.Object.Size
	if n >= 0 {
		end = min(end, offset+n)
	}
	if offset < 0 || offset > f.Object.Size {
		return nil, fmt.Errorf("the file has no byte %d", offset)
	}
	r := &reader{ctx: ctx, file: f, at: offset, end: end}
	if r.at < r.end {
		return r, r.connect()
	}
	return r, nil
}

// reader reads a part of a file over as many connections as it takes.
type reader struct {
	ctx     context.Context
	file    *File
	at, end int64
	body    io.ReadCloser
	cancel  context.CancelFunc // of the connection
	silent  int                // connections in a row that brought nothing
}

func (r *reader) connect() error {
	ctx, cancel := context.WithCancel(r.ctx)
	in := &s3.GetObjectInput{Bucket: aws.String(r.file.b.cfg.Bucket), Key: aws.String(r.file.Key),
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", r.at, r.end-1))}
	if r.file.ETag != "" {
		in.IfMatch = aws.String(r.file.ETag)
	}
	res, err := r.file.b.s3.GetObject(ctx, in)
	if err != nil {
		cancel()
		return problem(r.ctx, err)
	}
	if res.ContentRange == nil && r.at > 0 {
		cancel()
		return errors.Join(domain.Errorf(domain.CodeConflict, "the bucket cannot be read: it does not know ranges of files"), res.Body.Close())
	}
	r.body, r.cancel = res.Body, cancel
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.at >= r.end {
			return 0, io.EOF
		}
		if r.body == nil {
			if err := r.connect(); err != nil {
				return 0, err
			}
		}
		n, err := r.read(p[:min(int64(len(p)), r.end-r.at)])
		r.at += int64(n)
		if n > 0 {
			r.silent = 0
		}
		if err == nil || n > 0 && r.at == r.end {
			return n, nil
		}
		if done := r.disconnect(); done != nil && r.ctx.Err() == nil {
			err = errors.Join(err, done)
		}
		if r.silent++; r.ctx.Err() != nil || r.silent > resumes {
			return n, problem(r.ctx, err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// read reads from the connection, which is cut when it falls silent.
func (r *reader) read(p []byte) (int, error) {
	alarm := time.AfterFunc(stall, r.cancel)
	defer alarm.Stop()
	return r.body.Read(p)
}

func (r *reader) disconnect() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.cancel()
	r.body = nil
	return err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.at = r.end
	if err := r.disconnect(); err != nil && r.ctx.Err() == nil {
		return err
	}
	return nil
}
