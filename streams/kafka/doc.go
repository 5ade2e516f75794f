// Package kafka carries Watermill messages over Apache Kafka.
//
//	pub, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: kafka.Connection{Brokers: brokers}})
//	err = pub.Publish("orders", messages...) // acknowledged by all replicas when it returns
//
//	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: brokers}, Group: "mailer"})
//	messages, err := sub.Subscribe(ctx, "orders")
//
// What is promised: a message whose Publish returned nil is on every replica
// that is in sync. Messages of one key are in one partition, in the order in
// which their publisher sent them, also when sending failed in between and was
// repeated. A subscription delivers every message at least once; those of one
// key one after the other, in order; those of other keys at the same time, up
// to a window in each partition. A nacked message comes again before those of
// its key behind it. The offset that a group commits is never past a message
// that is not acked, so a crash repeats at most one window.
//
// A message may come twice: after a crash, after a rebalance that did not wait
// for a slow handler, and when an acknowledgement from the broker was lost and
// the publisher sent again. Its UUID tells.
package kafka
