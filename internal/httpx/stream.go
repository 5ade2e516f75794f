package httpx

import (
	"net"
	"net/http"
	"reflect"
)

// Stream adds an operation that answers as its input asks: with a Reply, as
// one of [Register], or by writing frames itself, in which case it returns nil.
// An error it returns before writing anything is answered in the mount's
// shape; after that it is only logged, so a stream carries its own error frame.
func Stream[I, O any](r *Router, op Op, h func(w http.ResponseWriter, req *http.Request, in *I) (*Reply[O], error)) {
	o := r.add(op)
	o.in = r.planInput(o, reflect.TypeFor[I]())
	o.out = r.planOutput(o, reflect.TypeFor[O]())
	o.run = func(x *exchange) error {
		in := new(I)
		ctx, err := x.receive(reflect.ValueOf(in).Elem())
		if err != nil {
			return err
		}
		defer x.handling.end()
		reply, err := h(x, x.r.WithContext(ctx), in)
		switch {
		case err != nil && x.wrote:
			x.err = err
			return nil
		case err != nil || reply == nil:
			return err
		}
		return respond(x, reply)
	}
}

// Hijack takes the connection of a request over from the HTTP server, for an
// answer that outlives its handler. Whoever calls it answers the request itself,
// with the status told here, and closes the connection.
func Hijack(w http.ResponseWriter, status int) (net.Conn, error) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if x, ok := w.(*exchange); ok && err == nil {
		x.status = status
	}
	return conn, err
}
