// Package privacy records that people's data was erased. The record is the
// proof: it says whose data, when, at whose word, and what became of every place
// that held it. It never says what was erased.
//
// An erasure begins with its intent in the log. Whatever happens then, it will
// be carried out: the keys it names are destroyed and every derived copy is
// cleaned, again after a crash, until it is completed.
package privacy
