// Package secret is a value that opens doors: the key of a service, a password, a
// token. A secret has a name, which is unique in its workspace and never changes;
// its stream is named by both, so there cannot be two.
//
// Whatever needs the value names the secret, as {{secret.name}} (see [Names]), and
// is given the current one whenever it is used: a value that was rotated is used
// from the next call on. Some values before it are kept for those who may reveal
// them, until the secret is deleted.
//
// Values are sealed before they become part of a fact. In the log they are sealed
// once more, under a key of the secret's own that is destroyed when it is deleted.
//
// Who revealed a value, and what used one, is a fact. Uses are many, so the first of
// a day stands for all that the same consumer makes of a version that day.
package secret
