// Package eventstore serves Strata's embedded log over EventStoreDB's gRPC
// protocol, so that programs with an official EventStoreDB client, and other
// Strata processes, use it as one.
//
// The rules are those of package eslog; this package is the wire: messages,
// errors, subscriptions, users and their rights. What is served: ServerFeatures,
// Gossip (one member, the leader), Streams, and whatever Options.Services adds.
//
// The messages are those of the official Go client, whose generated code cannot
// be linked together with that of its successor: both register the same names. So
// only the program strata may import this package.
package eventstore
