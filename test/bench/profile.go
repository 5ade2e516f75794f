package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// profilerAddress is where a server that is to be profiled serves its profiler.
const profilerAddress = "127.0.0.1:6061"

// profiled runs a load, and keeps a CPU profile of the server during it when
// profiles are wanted. Profiling costs a few per cent.
func (s settings) profiled(measure string, do func() (result, error)) (result, error) {
	if s.profile == "" {
		return do()
	}
	kept := make(chan error, 1)
	go func() { kept <- s.keepProfile(measure) }()
	r, err := do()
	return r, errors.Join(err, <-kept)
}

// keepProfile fetches a profile about as long as a load.
func (s settings) keepProfile(measure string) error {
	res, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", profilerAddress, max(1, int(s.duration.Seconds()))))
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer res.Body.Close()
	if err := os.MkdirAll(s.profile, 0o755); err != nil {
		return err
	}
	name := strings.NewReplacer(" ", "-", ",", "", "(", "", ")", "").Replace(measure) + ".pprof"
	f, err := os.Create(filepath.Join(s.profile, name))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
