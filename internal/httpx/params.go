package httpx

import (
	"context"
	"slices"
)

// PathValue returns a path parameter of the request that a context belongs to,
// for handlers that serve several paths and so cannot name it in their input.
func PathValue(ctx context.Context, name string) string {
	x := exchangeOf(ctx)
	if x == nil || x.op == nil {
		return ""
	}
	i := slices.Index(x.op.params, name)
	if i < 0 || i >= len(x.params) {
		return ""
	}
	return x.params[i]
}
