// Package guard looks at what is asked of models and at what they answer, and
// says whether it may pass.
//
// It has two parts. [Rules] are patterns: phrases that try to turn a model
// against its instructions, keys and other secrets, and data about people and
// their money (cards with their check digit, bank accounts with theirs,
// addresses of mail, numbers of phones). They need no network and take
// microseconds. They are honest about what they are: a pattern finds what is
// written as patterns expect, in the languages it was written for, and a
// determined person gets past it. For meaning there is a judge, a model that is
// asked; whoever has one puts its verdict beside that of the rules with
// [Verdict.And].
//
// What is found is either blocked or only told of, by category; see [New].
//
// A streamed answer goes through a [Gate], which holds text back for as long as
// it could still be the beginning of something that is blocked.
package guard
