package chserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net/http"
)

// authenticationFailed is ClickHouse's code for a wrong user or password.
const authenticationFailed = "516"

// Authenticate lets pass who names the user and the password, the way
// ClickHouse takes them: basic authentication or X-ClickHouse-User and
// X-ClickHouse-Key. Everybody may ask /ping.
func Authenticate(next http.Handler, user, password string) http.Handler {
	want := digest(user, password)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, key, ok := r.BasicAuth()
		if !ok {
			name, key = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
		}
		got := digest(name, key)
		if r.URL.Path != "/ping" && subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("X-ClickHouse-Exception-Code", authenticationFailed)
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "Code: "+authenticationFailed+". DB::Exception: Authentication failed: password is incorrect, or there is no user with such name.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// digest makes texts of any length comparable in constant time.
func digest(user, password string) [sha256.Size]byte {
	return sha256.Sum256([]byte(user + "\x00" + password))
}
