package access

// Hurry makes passwords cheap to hash, for tests.
func Hurry(c *Control) { c.iterations = 1 }
