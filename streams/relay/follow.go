package relay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
)

const (
	forEver   = domain.Position(math.MaxUint64)
	readAhead = 256     // most events that are read from the log at once
	mostBytes = 8 << 20 // of data that is gathered while a parcel is under way
)

// parcel is what is published together: events in the log's order.
type parcel struct {
	events []outgoing
	bytes  int
	upTo   domain.Position // looked at so far
}

type outgoing struct {
	topic   string
	message *message.Message
	logged  time.Time
	mark    streams.Mark
}

func (p *parcel) add(more parcel) {
	p.events, p.bytes, p.upTo = append(p.events, more.events...), p.bytes+more.bytes, more.upTo
}

// follow publishes the events of some categories between two positions, and
// tells how far everything is acknowledged. While one parcel is under way the
// next is gathered, so a slow publisher gets large ones and a fast one small ones.
func (s *shift) follow(ctx context.Context, categories []string, after, until domain.Position, tell func(domain.Position)) (err error) {
	sub, err := s.relay.cfg.Store.Subscribe(ctx, after, &streams.Filter{Categories: categories})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	reading, enough := context.WithCancel(ctx)
	in := &intake{relay: s.relay, sub: sub, until: until, parcels: make(chan parcel), end: make(chan error, 1)}
	var running sync.WaitGroup
	running.Go(func() { in.run(reading) })
	defer func() {
		enough()
		err = errors.Join(err, sub.Close())
		running.Wait()
	}()
	return s.deliver(ctx, in, tell)
}

// intake reads the log and makes messages of its events.
type intake struct {
	relay   *Relay
	sub     streams.Subscription
	until   domain.Position
	parcels chan parcel
	end     chan error // nil: until is reached
}

func (in *intake) run(ctx context.Context) {
	for {
		b, err := in.sub.Next(ctx, readAhead)
		if err != nil {
			in.end <- fmt.Errorf("next events: %w", err)
			return
		}
		p, err := in.encode(b)
		if err == nil || len(p.events) > 0 {
			select {
			case in.parcels <- p:
			case <-ctx.Done():
				in.end <- ctx.Err()
				return
			}
		}
		if err != nil || p.upTo >= in.until {
			in.end <- err
			return
		}
	}
}

// encode makes messages. When one cannot be made, those before it are returned
// with the error.
func (in *intake) encode(b streams.Batch) (parcel, error) {
	p := parcel{events: make([]outgoing, 0, len(b.Events))}
	for _, r := range b.Events {
		if r.Position > in.until {
			break
		}
		m, err := in.relay.cfg.Message(r)
		if err != nil {
			return p, err
		}
		p.events = append(p.events, outgoing{in.relay.cfg.Topic(r.Stream.Category()), m, r.At, streams.MarkOf(&r)})
		p.bytes += len(m.Payload)
		p.upTo = r.Position
	}
	p.upTo = min(b.Position, in.until)
	return p, nil
}

// deliver publishes one parcel after the other.
func (s *shift) deliver(ctx context.Context, in *intake, tell func(domain.Position)) error {
	var next, sent parcel
	var acked chan error // of the parcel that was sent
	parcels, end := in.parcels, in.end
	for {
		if acked == nil && len(next.events) > 0 {
			sent, next, acked = next, parcel{}, make(chan error, 1)
			go func(p parcel, done chan<- error) { done <- s.publish(ctx, p) }(sent, acked)
		}
		if acked == nil && end == nil {
			return nil
		}
		more := parcels
		if len(next.events) >= s.relay.cfg.BatchSize || next.bytes >= mostBytes {
			more = nil
		}
		select {
		case p := <-more:
			s.relay.worked("")
			if next.add(p); acked == nil && len(next.events) == 0 {
				if err := s.passed(next.upTo, nil, tell); err != nil {
					return err
				}
			}
		case err := <-acked:
			acked = nil
			if err == nil {
				err = s.passed(sent.upTo, sent.events, tell)
			}
			if err != nil {
				return err
			}
		case <-s.due:
			s.save(ctx)
		case err := <-end:
			if end = nil; err != nil {
				return errors.Join(err, s.wait(acked, sent, tell))
			}
		}
	}
}

// wait sees what is under way to its end.
func (s *shift) wait(acked chan error, sent parcel, tell func(domain.Position)) error {
	if acked == nil {
		return nil
	}
	if err := <-acked; err != nil {
		return err
	}
	return s.passed(sent.upTo, sent.events, tell)
}

// passed notes that everything up to a position is published.
func (s *shift) passed(to domain.Position, events []outgoing, tell func(domain.Position)) error {
	if to == 0 {
		return nil // nothing was looked at
	}
	if len(events) > 0 {
		s.relay.cfg.At("relay.published")
		s.at.Last = &events[len(events)-1].mark
		s.relay.metrics.acknowledged(events, s.relay.cfg.Now())
	}
	tell(to)
	return s.reached(len(events))
}

// publish sends a parcel and returns nil when all of it is acknowledged. The
// topics go side by side; each is tried until it succeeds or the term ends.
func (s *shift) publish(ctx context.Context, p parcel) error {
	topics := map[string][]*message.Message{}
	for _, e := range p.events {
		e.message.SetContext(ctx)
		topics[e.topic] = append(topics[e.topic], e.message)
	}
	faults := make(chan error, len(topics))
	for topic, messages := range topics {
		go func() { faults <- s.publishTo(ctx, topic, messages) }()
	}
	var all []error
	for range topics {
		all = append(all, <-faults)
	}
	return errors.Join(all...)
}

func (s *shift) publishTo(ctx context.Context, topic string, messages []*message.Message) error {
	for attempt := 1; ; attempt++ {
		// Asked right before each try: after a pause somebody else may have taken over.
		if err := s.term.Err(); err != nil {
			return err
		}
		err := s.relay.cfg.Publisher.Publish(topic, messages...)
		if err == nil {
			s.relay.worked(topic)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.relay.fails(topic, err)
		select {
		case <-s.relay.cfg.After(s.relay.cfg.Backoff(attempt)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
