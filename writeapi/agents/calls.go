package agents

import (
	"context"
	"errors"

	"strata/domain"
	"strata/gateway/mcp"
)

// CallTool calls one of the tools that agents have, on somebody's behalf: a built-in
// one, or "mcp:<server>/<tool>". A server is told key in the call's _meta, as
// idempotencyKey. failed says that the tool has answered that it could not. Errors:
// VALIDATION_ERROR for arguments that it does not take, CONFLICT for what a server
// refuses, NOT_FOUND, FORBIDDEN, SERVICE_UNAVAILABLE and TIMEOUT.
func (s *Service) CallTool(ctx context.Context, by mcp.Caller, target string, arguments map[string]any, key string) (output string, failed bool, err error) {
	output, failed, err = s.use(ctx, by, target, arguments, key)
	if e, is := errors.AsType[*mcp.Error](err); is {
		err = domain.Errorf(domain.CodeConflict, "the tool %q was refused: %s", target, e.Message)
	}
	return output, failed, err
}
