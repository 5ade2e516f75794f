// Package mem0 keeps memories at mem0, over its REST API: that of the platform
// (https://docs.mem0.ai/api-reference) or that of the open-source server, which has
// other paths and can do less.
//
// mem0 knows a text, who it belongs to (user, agent, app and run, which is our
// session) and metadata. What we know beside that (the type, the importance, the exact
// end of a memory) is in its metadata under names that begin with "strata_", and comes
// back as fields. What mem0 cannot be asked for (our types, equality of metadata, ends
// in the middle of a day) is left out of its answers here.
//
// Nothing is repeated: mem0 recognises no retry, so a call whose answer was lost may
// have had its effect.
package mem0
