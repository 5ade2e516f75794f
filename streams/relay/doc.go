// Package relay publishes the log to topics, so that others can consume it: one
// topic per stream category, one CloudEvents 1.0 message per event.
//
//	r, err := relay.New(relay.Config{Store: log, Codec: codec, Publisher: kafka, Categories: []string{"session", "app"}})
//	err = r.Run(ctx)
//
// # What is promised
//
// Every event of the allowed categories is published, in the order of its
// stream; none is skipped, whatever fails and however often. It may be published
// more than once, under the same id. Whoever keeps, per stream, the first
// message of every id, has the stream exactly as the log has it.
//
// This holds without any assumption about time, also when two relays run at the
// same moment because one of them was stopped for so long that another took
// over. A relay publishes what follows a checkpoint, in order, and repeats a
// publish that failed before it goes on; a checkpoint is saved only after what
// lies before it was acknowledged. So every event that a relay publishes was
// preceded on its topic by all those before it in its stream, be it by this
// relay or an earlier one: what comes late is a repetition, never a gap. The
// lease (see package lease) only keeps repetitions rare; checkpoints live in its
// stream and are fenced.
//
// The publisher must keep its part: messages of one key that it is given one
// after the other, in one call or in several that follow each other, arrive in
// that order, and when it answers nil all of them are stored.
//
// # What is published
//
// The value is the JSON of the fact in today's version. CloudEvents attributes
// are metadata of the message, named as the Kafka binding of CloudEvents names
// headers; see [HeaderID]. The key of a message is its stream; see [Key].
//
// What is personal is left out unless the category is listed in
// Config.Personal; "ce_dataremoved" says so. An event that is left without data
// is published without, so that revisions have no gaps. What was erased is
// absent. What was published before it was erased is beyond the log's reach:
// who allows personal data must let the topic forget it.
//
// A category that is allowed later is first brought up from the beginning of the
// log to where the others are.
package relay
