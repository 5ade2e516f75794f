package engine

// library holds the C functions we call. Lengths are passed along with every
// buffer, so text may contain NUL bytes.
type library struct {
	setSignalHandlers func(enabled int32)
	connect           func(argc int32, argv **byte) *uintptr
	closeConn         func(conn *uintptr)

	query           func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr) uintptr
	queryWithParams func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) uintptr

	streamInsert  func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr) uintptr
	streamAppend  func(stream uintptr, data *byte, n uintptr) int32
	streamDone    func(stream uintptr) uintptr
	streamError   func(stream uintptr) string
	destroyStream func(stream uintptr)

	resultBuffer  func(result uintptr) *byte
	resultLength  func(result uintptr) uintptr
	resultError   func(result uintptr) string
	destroyResult func(result uintptr)
}
