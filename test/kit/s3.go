package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3 is a server that speaks S3's protocol: Versity's gateway over a directory.
type S3 struct {
	URL             string
	AccessKeyID     string
	SecretAccessKey string
	dir             string
}

// s3Binary is where `make` installs the server.
func s3Binary() (string, error) {
	if path := os.Getenv("STRATA_VERSITYGW"); path != "" {
		return path, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".cache", "bin", "versitygw")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the S3 server is not installed, run make .cache/bin/versitygw: %w", err)
	}
	return path, nil
}

// StartS3 runs an S3 server that stops with the test.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	binary, err := s3Binary()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := &S3{URL: "http://" + address, AccessKeyID: "STRATAE2E", SecretAccessKey: "strata-e2e-secret", dir: t.TempDir()}
	cmd := exec.Command(binary, "--port", address, "--quiet", "posix", s.dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+s.AccessKeyID, "ROOT_SECRET_ACCESS_KEY="+s.SecretAccessKey)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		select {
		case <-exited:
		case <-time.After(stopDeadline):
			t.Errorf("the S3 server does not stop: %v", cmd.Process.Kill())
			<-exited
		}
		if t.Failed() {
			t.Logf("the S3 server says:\n%s", out.String())
		}
	})
	Eventually(t, startDeadline, "the S3 server listens", func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	return s
}

// Put puts a file into a bucket, which is made when it is not there.
func (s *S3) Put(t testing.TB, bucket, key string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(s.dir, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	own := aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey}
	client := s3.New(s3.Options{BaseEndpoint: aws.String(s.URL), Region: "us-east-1", UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return own, nil })})
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
}
