package clickhouse

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// LibraryVariable is the environment variable that names the engine's library.
const LibraryVariable = "STRATA_CHDB_LIB"

// ErrNoLibrary says, in one sentence, how to get the engine.
var ErrNoLibrary = errors.New("the ClickHouse engine is not installed: run `make engine` (or `npm ci --prefix deploy/engine`), " +
	"or set " + LibraryVariable + " to a libchdb, or STRATA_CLICKHOUSE_URL to a ClickHouse server")

// FindLibrary returns the path of the engine's library: the given path or
// STRATA_CHDB_LIB when set; else lib/ in the data directory or beside the
// executable; else what npm installed in deploy/engine or web of the source
// tree that holds the executable or the working directory. The error is
// ErrNoLibrary.
func FindLibrary(given, dataDir string) (string, error) {
	if given == "" {
		given = os.Getenv(LibraryVariable)
	}
	if given != "" {
		if isFile(given) {
			return filepath.Abs(given)
		}
		return "", errors.Join(ErrNoLibrary, errors.New("there is no file "+given))
	}
	for _, path := range libraryCandidates(dataDir) {
		if isFile(path) {
			return filepath.Abs(path)
		}
	}
	return "", ErrNoLibrary
}

func libraryCandidates(dataDir string) []string {
	const file = "libchdb.so" // also on macOS
	var list, roots []string
	if dataDir != "" {
		list = append(list, filepath.Join(dataDir, "lib", file))
	}
	if exe, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(exe); err == nil {
			exe = resolved
		}
		dir := filepath.Dir(exe)
		list = append(list, filepath.Join(dir, "lib", file), filepath.Join(dir, "..", "lib", file))
		roots = append(roots, ancestors(dir)...)
	}
	if dir, err := os.Getwd(); err == nil {
		roots = append(roots, ancestors(dir)...)
	}
	for _, root := range roots {
		for _, sub := range []string{"deploy/engine", "web"} {
			list = append(list, filepath.Join(root, filepath.FromSlash(sub), "node_modules", "@chdb", npmPackage(), file))
		}
	}
	return list
}

// npmPackage is the name of the package for this platform, without its scope.
func npmPackage() string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	name := "lib-" + runtime.GOOS + "-" + arch
	if runtime.GOOS == "linux" {
		name += "-gnu"
	}
	return name
}

// ancestors returns a directory and those that hold it, innermost first.
func ancestors(dir string) []string {
	list := []string{dir}
	for parent := filepath.Dir(dir); parent != dir; parent = filepath.Dir(dir) {
		dir = parent
		list = append(list, dir)
	}
	return list
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
