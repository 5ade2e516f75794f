package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"strata/streams"
)

// chunkBytes is what one message of a batch holds at most, unless it is one
// event: servers take the parts of an append in any number of messages.
const chunkBytes = 1 << 20

// batches sends the appends of a process over one BatchAppend stream, and hands
// out the answers.
type batches struct {
	life  context.Context // of the node
	api   pb.StreamsClient
	queue chan *batchCall
	work  *sync.WaitGroup

	mu   sync.Mutex
	pipe *pipe // the stream in use; nil before the first append and after a failure
}

// batchCall is one append on its way.
type batchCall struct {
	append *pendingAppend
	done   chan struct{}
	answer *pb.BatchAppendResp
	err    error // of the stream: the outcome is unknown
}

// pipe is one BatchAppend stream with the appends that wait for their answer.
type pipe struct {
	stream pb.Streams_BatchAppendClient
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting map[int64]*batchCall
	last    int64 // correlation id given out last
	err     error // why it ended
	ended   chan struct{}
}

func newBatches(life context.Context, api pb.StreamsClient, work *sync.WaitGroup) *batches {
	return &batches{life: life, api: api, queue: make(chan *batchCall), work: work}
}

// append sends an append and waits for its answer. After an error its outcome is
// unknown.
func (b *batches) append(ctx context.Context, a *pendingAppend) (*pb.BatchAppendResp, error) {
	p, err := b.open()
	if err != nil {
		return nil, err
	}
	call := &batchCall{append: a, done: make(chan struct{})}
	select {
	case b.queue <- call:
	case <-p.ended:
		return nil, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-call.done:
		return call.answer, call.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open returns the stream, and begins one when there is none.
func (b *batches) open() (*pipe, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pipe != nil {
		select {
		case <-b.pipe.ended:
		default:
			return b.pipe, nil
		}
	}
	life, cancel := context.WithCancel(b.life)
	stream, err := b.api.BatchAppend(life)
	if err != nil {
		cancel()
		return nil, err
	}
	p := &pipe{stream: stream, cancel: cancel, waiting: map[int64]*batchCall{}, ended: make(chan struct{})}
	b.pipe = p
	b.work.Go(func() { p.receive() })
	b.work.Go(func() { b.send(p) })
	return p, nil
}

// send is the one goroutine that writes to a stream.
func (b *batches) send(p *pipe) {
	for {
		select {
		case call := <-b.queue:
			id, err := p.add(call)
			if err == nil {
				err = call.append.sendTo(p.stream, id)
			}
			if err != nil && !errors.Is(err, io.EOF) { // after io.EOF the receiver hears the reason
				p.fail(err)
			}
		case <-p.ended:
			return
		}
	}
}

// receive hands answers to those who wait, until the stream ends.
func (p *pipe) receive() {
	for {
		answer, err := p.stream.Recv()
		if err != nil {
			p.fail(fault(err, p.stream.Trailer()))
			return
		}
		p.mu.Lock()
		id := answer.GetCorrelationId().GetStructured().GetLeastSignificantBits()
		call := p.waiting[id]
		delete(p.waiting, id)
		p.mu.Unlock()
		if call != nil {
			call.answer = answer
			close(call.done)
		}
	}
}

// add gives an append its number. An ended stream takes none.
func (p *pipe) add(call *batchCall) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		call.err = p.err
		close(call.done)
		return 0, p.err
	}
	p.last++
	p.waiting[p.last] = call
	return p.last, nil
}

// fail ends a stream: nobody who waits will hear their outcome.
func (p *pipe) fail(err error) {
	if errors.Is(err, io.EOF) {
		err = errLostStream
	}
	p.mu.Lock()
	if p.err != nil {
		p.mu.Unlock()
		return
	}
	p.err = err
	waiting := p.waiting
	p.waiting = nil
	close(p.ended)
	p.mu.Unlock()
	p.cancel()
	for _, call := range waiting {
		call.err = err
		close(call.done)
	}
}

// errLostStream: the server ended the stream of appends without saying why.
var errLostStream = errors.New("the server ended the stream of appends")

// sendTo writes an append to a batch stream, in as many messages as it needs.
func (a *pendingAppend) sendTo(stream pb.Streams_BatchAppendClient, id int64) error {
	correlation := &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{LeastSignificantBits: id}}}
	req := &pb.BatchAppendReq{CorrelationId: correlation, Options: a.batchOptions()}
	size := 0
	for i, m := range a.messages {
		n := len(m.Data) + len(m.CustomMetadata)
		if i > 0 && size+n > chunkBytes {
			if err := stream.Send(req); err != nil {
				return err
			}
			req, size = &pb.BatchAppendReq{CorrelationId: correlation}, 0
		}
		req.ProposedMessages = append(req.ProposedMessages, m)
		size += n
	}
	req.IsFinal = true
	return stream.Send(req)
}

func (a *pendingAppend) batchOptions() *pb.BatchAppendReq_Options {
	o := &pb.BatchAppendReq_Options{
		StreamIdentifier: a.identifier(),
		DeadlineOption:   &pb.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(a.patience)},
	}
	switch a.expected {
	case streams.Any:
		o.ExpectedStreamPosition = &pb.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	case streams.StreamExists:
		o.ExpectedStreamPosition = &pb.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	case streams.NoStream:
		o.ExpectedStreamPosition = &pb.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	default:
		o.ExpectedStreamPosition = &pb.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(a.expected)}
	}
	return o
}

// outcome reads the answer of a batch.
func (a *pendingAppend) outcome(answer *pb.BatchAppendResp) (streams.Result, error) {
	if failed := answer.GetError(); failed != nil {
		return streams.Result{}, a.refusal(failed)
	}
	done := answer.GetSuccess()
	if done == nil {
		return streams.Result{}, fmt.Errorf("append to %s: an answer without an outcome", a.stream)
	}
	return result(done.GetCurrentRevision(), done.GetPosition().GetCommitPosition()), nil
}
