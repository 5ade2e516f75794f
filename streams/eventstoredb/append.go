package eventstoredb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"strata/domain"
	"strata/streams"
)

const (
	// maxAppend is what can be sent at all; what a server takes is mostly less
	// (1 MiB by default), and its own answer.
	maxAppend = maxMessage - 1<<20
	// maxTypeName and maxStreamName are the port's.
	maxTypeName   = 255
	maxStreamName = 60_000

	typeKey        = "type"
	contentTypeKey = "content-type"
	createdKey     = "created" // 100 ns since 1970
	jsonType       = "application/json"
	binaryType     = "application/octet-stream"
)

// pendingAppend is an append as it is sent, maybe more than once.
type pendingAppend struct {
	stream   domain.StreamID
	expected streams.Expected
	messages []*pb.BatchAppendReq_ProposedMessage
	patience time.Duration
}

func (a *pendingAppend) identifier() *shared.StreamIdentifier { return identifier(a.stream) }

func identifier(stream domain.StreamID) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// Append writes events to one stream; see [streams.Store].
func (s *Store) Append(ctx context.Context, stream domain.StreamID, expected streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	if err := checkAppend(stream, expected, events); err != nil {
		return streams.Result{}, err
	}
	return s.append(ctx, stream, expected, events)
}

// append writes to any stream, also to the store's own.
func (s *Store) append(ctx context.Context, stream domain.StreamID, expected streams.Expected, events []streams.Proposed) (streams.Result, error) {
	if err := ctx.Err(); err != nil {
		return streams.Result{}, err
	}
	if err := s.begin(); err != nil {
		return streams.Result{}, err
	}
	defer s.end()
	within, cancel := s.patient(ctx)
	defer cancel()
	leave, err := s.alone(within, appendKey{stream, events[0].ID})
	if err != nil {
		return streams.Result{}, s.unanswered(ctx, err)
	}
	defer leave()
	if s.known.Load() == 0 { // nothing is known yet: by what lies there, repeats are told
		if _, err := s.head(within); err != nil {
			return streams.Result{}, s.failed(ctx, within, err)
		}
	}
	if expected == streams.StreamExists {
		// To the server a stream with metadata exists, to the port one with events.
		if state, err := s.look(within, stream); err != nil || state.last == domain.NoRevision {
			return streams.Result{}, s.failed(ctx, within, cmp.Or(err, state.refusal(stream, expected)))
		}
	}
	before := domain.Position(s.known.Load())
	a := &pendingAppend{stream: stream, expected: expected, messages: encode(events), patience: s.opts.Patience}
	r, err := s.deliver(within, a)
	if _, wrong := errors.AsType[*streams.WrongRevision](err); wrong && expected == streams.NoStream {
		r, err = s.begunAnew(within, stream, events, err)
	}
	if err != nil {
		return streams.Result{}, s.failed(ctx, within, err)
	}
	if r.Repeated = r.Position <= before; r.Repeated && expected < streams.NoStream {
		if err := s.inOrder(within, stream, expected, events, r.Revision); err != nil {
			return streams.Result{}, s.failed(ctx, within, err)
		}
	}
	s.acknowledged(r.Position)
	return r, nil
}

// inOrder checks what the server takes for a repeat without an exact revision: it
// looks for every event by itself, the port wants them one after another.
func (s *Store) inOrder(ctx context.Context, stream domain.StreamID, expected streams.Expected, events []streams.Proposed, last domain.Revision) error {
	if len(events) == 1 {
		return nil
	}
	c := s.scanStream(stream, streams.ReadStream{From: last, Backwards: true, Limit: len(events)})
	defer c.close()
	for i := len(events) - 1; i >= 0; {
		list, err := c.fill(ctx, i+1)
		if errors.Is(err, streams.ErrStreamNotFound) {
			return nil // deleted since: nothing speaks against it
		}
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.ID != events[i].ID {
				return s.refused(ctx, stream, expected)
			}
			i--
		}
		if c.ended && i >= 0 { // some of it is hidden by now
			return nil
		}
	}
	return nil
}

// begunAnew looks whether a stream that should have no event was deleted and
// begun anew by this very append: servers look for a repeat at its very beginning
// only. If not, the refusal stands. The stream itself may hide what is looked for,
// so the whole log is asked; few streams are ever deleted.
func (s *Store) begunAnew(ctx context.Context, stream domain.StreamID, events []streams.Proposed, refusal error) (streams.Result, error) {
	m, err := s.metadata(ctx, stream)
	if err != nil {
		return streams.Result{}, err
	}
	first := domain.Revision(m.deleted())
	if first == 0 || first == deletedMark {
		return streams.Result{}, refusal
	}
	found := 0
	for e, err := range s.ReadAll(ctx, streams.ReadAll{Filter: &streams.Filter{Categories: []string{stream.Category()}}}) {
		if err != nil {
			return streams.Result{}, err
		}
		if e.Stream != stream || e.Revision < first {
			continue
		}
		if e.ID != events[found].ID {
			break
		}
		if found++; found == len(events) {
			return streams.Result{Revision: e.Revision, Position: e.Position}, nil
		}
	}
	return streams.Result{}, refusal
}

// refused makes the error of an append that the stream does not admit.
func (s *Store) refused(ctx context.Context, stream domain.StreamID, expected streams.Expected) error {
	state, err := s.look(ctx, stream)
	return cmp.Or(err, state.refusal(stream, expected))
}

// refusal is the error of an append to a stream in this state.
func (st streamState) refusal(stream domain.StreamID, expected streams.Expected) error {
	if st.tombstoned {
		return streams.ErrTombstoned
	}
	return &streams.WrongRevision{Stream: stream, Expected: expected, Actual: st.last}
}

// failed is the error of a call: its own, unless it ended for want of an answer.
func (s *Store) failed(caller, within context.Context, err error) error {
	if within.Err() != nil || s.ctx.Err() != nil {
		return s.unanswered(caller, err)
	}
	return err
}

// alone waits until no append of the same event to the same stream is under way,
// so that of two at once one is the first and the other sees that it was there.
func (s *Store) alone(ctx context.Context, key appendKey) (leave func(), err error) {
	for {
		s.mu.Lock()
		other := s.sending[key]
		if other == nil {
			mine := make(chan struct{})
			s.sending[key] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.sending, key)
				s.mu.Unlock()
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// deliver sends an append until its outcome is known. Sending it again is safe:
// the server knows its events by their ids.
func (s *Store) deliver(ctx context.Context, a *pendingAppend) (r streams.Result, err error) {
	err = s.insist(ctx, func(n *node) error {
		if n.batches != nil && !n.single.Load() {
			answer, err := n.batches.append(ctx, a)
			if err == nil {
				r, err = a.outcome(answer)
				return err
			}
			if status.Code(err) != codes.Unimplemented {
				return err
			}
			n.single.Store(true) // it was announced, but something on the way does not know it
		}
		r, err = s.appendSingly(ctx, n, a)
		return err
	})
	if errors.Is(err, streams.ErrTombstoned) && a.expected == streams.StreamExists {
		// Servers say the same of a stream that was closed for ever and of one that
		// may come back.
		err = s.refused(ctx, a.stream, a.expected)
	}
	return r, err
}

// insist calls a node, and the next one when the connection breaks or the node
// says that another one leads, until there is an answer or ctx ends.
func (s *Store) insist(ctx context.Context, call func(*node) error) error {
	for try := 0; ; try++ {
		n, err := s.conn.get(ctx)
		if err != nil {
			return err
		}
		err = call(n)
		again, leader := lost(ctx, err)
		if !again {
			return err
		}
		if leader != "" || !isAnswer(err) {
			s.conn.drop(n, leader, err)
		}
		if leader == "" && !pause(ctx, try) {
			return err
		}
	}
}

// appendSingly sends an append to a server that does not take batches.
func (s *Store) appendSingly(ctx context.Context, n *node, a *pendingAppend) (streams.Result, error) {
	call := newUnary(ctx)
	defer call.cancel()
	stream, err := n.streams.Append(call.ctx, call.options()...)
	if err != nil {
		return streams.Result{}, call.fault(err)
	}
	send := func(m *pb.AppendReq) bool { return stream.Send(m) == nil } // the reason comes with the answer
	ok := send(&pb.AppendReq{Content: &pb.AppendReq_Options_{Options: a.singleOptions()}})
	for i := 0; ok && i < len(a.messages); i++ {
		m := a.messages[i]
		ok = send(&pb.AppendReq{Content: &pb.AppendReq_ProposedMessage_{ProposedMessage: &pb.AppendReq_ProposedMessage{
			Id: m.Id, Metadata: m.Metadata, CustomMetadata: m.CustomMetadata, Data: m.Data,
		}}})
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return streams.Result{}, call.fault(err)
	}
	if wrong := answer.GetWrongExpectedVersion(); wrong != nil {
		actual := domain.NoRevision
		if _, is := wrong.GetCurrentRevisionOption().(*pb.AppendResp_WrongExpectedVersion_CurrentRevision); is {
			actual = domain.Revision(wrong.GetCurrentRevision())
		}
		return streams.Result{}, &streams.WrongRevision{Stream: a.stream, Expected: a.expected, Actual: actual}
	}
	done := answer.GetSuccess()
	if done == nil {
		return streams.Result{}, fmt.Errorf("append to %s: an answer without an outcome", a.stream)
	}
	return result(done.GetCurrentRevision(), done.GetPosition().GetCommitPosition()), nil
}

func (a *pendingAppend) singleOptions() *pb.AppendReq_Options {
	o := &pb.AppendReq_Options{StreamIdentifier: a.identifier()}
	switch a.expected {
	case streams.Any:
		o.ExpectedStreamRevision = &pb.AppendReq_Options_Any{Any: &shared.Empty{}}
	case streams.StreamExists:
		o.ExpectedStreamRevision = &pb.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}
	case streams.NoStream:
		o.ExpectedStreamRevision = &pb.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	default:
		o.ExpectedStreamRevision = &pb.AppendReq_Options_Revision{Revision: uint64(a.expected)}
	}
	return o
}

func result(revision, position uint64) streams.Result {
	return streams.Result{Revision: domain.Revision(revision), Position: domain.Position(position)}
}

// encode makes messages of events.
func encode(events []streams.Proposed) []*pb.BatchAppendReq_ProposedMessage {
	out := make([]*pb.BatchAppendReq_ProposedMessage, len(events))
	var last map[string]string // the same for runs of one type
	for i := range events {
		e := &events[i]
		content := binaryType
		if json.Valid(e.Data) {
			content = jsonType
		}
		if last == nil || last[typeKey] != e.Type || last[contentTypeKey] != content {
			last = map[string]string{typeKey: e.Type, contentTypeKey: content}
		}
		out[i] = &pb.BatchAppendReq_ProposedMessage{Id: toUUID(e.ID), Metadata: last, CustomMetadata: wrap(e.Workspace, e.Meta), Data: e.Data}
	}
	return out
}

func checkStream(stream domain.StreamID) error {
	switch {
	case stream == "":
		return fmt.Errorf("%w: stream name is empty", streams.ErrInvalid)
	case streams.IsSystem(stream):
		return fmt.Errorf("%w: stream %q belongs to the store", streams.ErrInvalid, stream)
	case len(stream) > maxStreamName:
		return fmt.Errorf("%w: stream name is longer than %d bytes", streams.ErrInvalid, maxStreamName)
	}
	return nil
}

// checkAppend checks what can be checked without the server.
func checkAppend(stream domain.StreamID, expected streams.Expected, events []streams.Proposed) error {
	if err := checkStream(stream); err != nil {
		return err
	}
	if len(events) == 0 {
		return fmt.Errorf("%w: no events", streams.ErrInvalid)
	}
	if expected < streams.NoStream && expected != streams.Any && expected != streams.StreamExists {
		return fmt.Errorf("%w: expected revision %d has no meaning", streams.ErrInvalid, expected)
	}
	size := 0
	for i := range events {
		e := &events[i]
		switch {
		case e.ID == uuid.Nil:
			return fmt.Errorf("%w: event %d has no id", streams.ErrInvalid, i)
		case e.Type == "":
			return fmt.Errorf("%w: event %d has no type", streams.ErrInvalid, i)
		case len(e.Type) > maxTypeName:
			return fmt.Errorf("%w: type of event %d is longer than %d bytes", streams.ErrInvalid, i, maxTypeName)
		}
		size += len(e.Type) + len(e.Meta) + len(e.Data)
	}
	if size > maxAppend {
		return fmt.Errorf("%w: the append has %d bytes, the protocol takes %d", streams.ErrTooLarge, size, maxAppend)
	}
	return nil
}
