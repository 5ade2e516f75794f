//go:build !linux

package embedded

// Preallocate only sets the size: a later write may find no space.
func (f *osFile) Preallocate(size int64) error { return f.Truncate(size) }
