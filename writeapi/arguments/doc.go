// Package arguments has models argue: it writes prompts from actions, clients,
// products and what is wanted, asks a model through the gateway, and reads what
// it answers as far as it can be read. The request is on record before the model
// is asked, and its end in any case: an argument, an insight, or why there is
// none.
package arguments
