package domain

// HTTPStatus is the one mapping of codes to HTTP statuses, shared by every face
// of Strata and by the record of a model call. It is a number, not a dependency:
// nothing in this package knows of HTTP otherwise.
func (c Code) HTTPStatus() int {
	switch c {
	case CodeInvalidRequest, CodeValidation:
		return 400
	case CodeUnauthorized:
		return 401
	case CodeForbidden:
		return 403
	case CodeNotFound:
		return 404
	case CodeMethodNotAllowed:
		return 405
	case CodeConflict:
		return 409
	case CodeGone:
		return 410
	case CodePayloadTooLarge:
		return 413
	case CodeUnsupportedMedia:
		return 415
	case CodeRateLimited, CodeQuotaExceeded:
		return 429
	case CodeAIService, CodeUnavailable:
		return 503
	case CodeTimeout:
		return 504
	}
	return 500
}
