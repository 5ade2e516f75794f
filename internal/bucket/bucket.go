// Package bucket reads buckets of Amazon S3 and of services that speak its
// protocol: it lists files and yields their contents by ranges, so that a file
// of any size can be read, and read on after a broken connection.
//
// It uses no credentials of its own surroundings, neither the environment's nor a
// machine's role: a customer's bucket is read with the customer's credentials or
// with none. Errors are *domain.Error, in words fit for the customer: what the
// service answers is told by its code, never by its text, which may quote the
// request.
package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"strata/domain"
	"strata/internal/outbound"
)

// Config says which bucket is read, and as whom.
type Config struct {
	Bucket    string
	Region    string // us-east-1 when empty
	Endpoint  string // Amazon's own when empty
	Prefix    string // keys that do not begin so are not there
	PathStyle bool   // the bucket's name is in the path, not in the host's name
	// Credentials; all empty for a bucket that anybody may read.
	AccessKeyID, SecretAccessKey, SessionToken string
	// Client makes the requests; see [NewClient].
	Client *http.Client
	// Attempts is how often a request is made that fails for the moment; 3 when 0.
	Attempts int
}

// Object is a file of a bucket.
type Object struct {
	Key          string
	Size         int64
	LastModified time.Time
	ETag         string
}

// Bucket reads one bucket. It is safe for concurrent use.
type Bucket struct {
	cfg Config
	s3  *s3.Client
}

const (
	attempts      = 3
	headerTimeout = 30 * time.Second
	maxAnswer     = 16 << 20 // bytes of an answer that is no file
	pageSize      = 1000     // what S3 lists at a time
)

// NewClient makes a client whose connections a guard permits. It follows no
// redirect: a signed request is meant for one host.
func NewClient(guard *outbound.Guard) *http.Client {
	t := guard.Transport()
	t.ResponseHeaderTimeout = headerTimeout
	return &http.Client{Transport: bounded{t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// bounded keeps answers that are read whole from filling the memory.
type bounded struct{ next *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil && res.StatusCode != http.StatusPartialContent {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

// CloseIdleConnections lets http.Client close what it keeps open.
func (b bounded) CloseIdleConnections() { b.next.CloseIdleConnections() }

// New makes a reader of a bucket. Nothing is asked yet.
func New(c Config) *Bucket {
	var credentials aws.CredentialsProvider = aws.AnonymousCredentials{}
	if c.AccessKeyID != "" {
		own := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
		credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return own, nil })
	}
	o := s3.Options{
		Region: cmp.Or(c.Region, "us-east-1"), Credentials: credentials, HTTPClient: c.Client, UsePathStyle: c.PathStyle,
		Retryer:                    retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = cmp.Or(c.Attempts, attempts) }),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
	if c.Endpoint != "" {
		o.BaseEndpoint = aws.String(c.Endpoint)
	}
	return &Bucket{cfg: c, s3: s3.New(o)}
}

// Check proves that the bucket is there and lets us list it.
func (b *Bucket) Check(ctx context.Context) error {
	_, err := b.s3.ListObjectsV2(ctx, b.list(b.cfg.Prefix, 1))
	return problem(ctx, err)
}

func (b *Bucket) list(prefix string, most int) *s3.ListObjectsV2Input {
	in := &s3.ListObjectsV2Input{Bucket: aws.String(b.cfg.Bucket), MaxKeys: aws.Int32(int32(min(most, pageSize)))}
	if prefix != "" {
		in.Prefix = aws.String(prefix)
	}
	return in
}

// List lists files whose keys begin with prefix, in the order of their keys, at
// most limit, as the pages that the service gives. What stands for a folder (an
// empty object whose key ends in a slash) is no file.
func (b *Bucket) List(ctx context.Context, prefix string, limit int) ([][]Object, error) {
	prefix, ok := b.within(prefix)
	if !ok {
		return nil, nil
	}
	var out [][]Object
	in := b.list(prefix, limit)
	for left := limit; left > 0; {
		in.MaxKeys = aws.Int32(int32(min(left, pageSize)))
		res, err := b.s3.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, problem(ctx, err)
		}
		page := make([]Object, 0, len(res.Contents))
		for _, c := range res.Contents {
			key, size := aws.ToString(c.Key), aws.ToInt64(c.Size)
			if strings.HasSuffix(key, "/") && size == 0 || len(page) == left {
				continue
			}
			page = append(page, Object{Key: key, Size: size, LastModified: aws.ToTime(c.LastModified).UTC(), ETag: aws.ToString(c.ETag)})
		}
		if len(page) > 0 {
			out = append(out, page)
		}
		left -= len(page)
		if !aws.ToBool(res.IsTruncated) || aws.ToString(res.NextContinuationToken) == "" {
			break
		}
		in.ContinuationToken = res.NextContinuationToken
	}
	return out, nil
}

// within narrows a prefix to that of the configuration; false when no key has both.
func (b *Bucket) within(prefix string) (string, bool) {
	own := b.cfg.Prefix
	if strings.HasPrefix(own, prefix) {
		return own, true
	}
	return prefix, strings.HasPrefix(prefix, own)
}

// Stat looks at one file. Errors: NOT_FOUND.
func (b *Bucket) Stat(ctx context.Context, key string) (Object, error) {
	if key == "" || !strings.HasPrefix(key, b.cfg.Prefix) {
		return Object{}, domain.NotFound("file", key)
	}
	res, err := b.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(b.cfg.Bucket), Key: aws.String(key)})
	if err != nil {
		if err = problem(ctx, err); domain.CodeOf(err) == domain.CodeNotFound {
			err = domain.NotFound("file", key)
		}
		return Object{}, err
	}
	return Object{Key: key, Size: aws.ToInt64(res.ContentLength), LastModified: aws.ToTime(res.LastModified).UTC(), ETag: aws.ToString(res.ETag)}, nil
}

// reasons are the service's codes in our words. Codes that are not here are told
// as they are.
var reasons = map[string]struct {
	code domain.Code
	text string
}{
	"AccessDenied":                       {domain.CodeConflict, "access is denied to these credentials"},
	"Forbidden":                          {domain.CodeConflict, "access is denied to these credentials"},
	"AllAccessDisabled":                  {domain.CodeConflict, "access to it is disabled"},
	"InvalidAccessKeyId":                 {domain.CodeConflict, "the access key is not known there"},
	"SignatureDoesNotMatch":              {domain.CodeConflict, "the secret access key does not fit the access key"},
	"ExpiredToken":                       {domain.CodeConflict, "the session token has expired"},
	"InvalidToken":                       {domain.CodeConflict, "the session token is not valid"},
	"NoSuchBucket":                       {domain.CodeConflict, "there is no such bucket"},
	"NoSuchKey":                          {domain.CodeNotFound, "there is no such file"},
	"NotFound":                           {domain.CodeNotFound, "there is no such file"},
	"PreconditionFailed":                 {domain.CodeConflict, "the file was changed while it was read"},
	"PermanentRedirect":                  {domain.CodeConflict, "the bucket is in another region"},
	"MovedPermanently":                   {domain.CodeConflict, "the bucket is in another region"},
	"AuthorizationHeaderMalformed":       {domain.CodeConflict, "the bucket is in another region"},
	"IllegalLocationConstraintException": {domain.CodeConflict, "the bucket is in another region"},
	"SlowDown":                           {domain.CodeUnavailable, "it is asked too much at the moment"},
}

// problem says in our words why a request failed.
func problem(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return domain.Errorf(domain.CodeTimeout, "the bucket did not answer in time").Because(err)
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		known, ok := reasons[answer.ErrorCode()]
		if !ok {
			known.code, known.text = domain.CodeUnavailable, "it answers "+printable(answer.ErrorCode())
		}
		return domain.Errorf(known.code, "the bucket cannot be read: %s", known.text).Because(err)
	}
	return domain.Errorf(domain.CodeUnavailable, "the bucket cannot be reached: %s", outbound.Reason(err)).Because(err)
}

// printable is a code as far as it looks like one.
func printable(code string) string {
	code = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, code)
	return fmt.Sprintf("%.60q", code)
}
