// Package learn trains models on tables: logistic regression and
// gradient-boosted trees, for two classes, several, and (trees) numbers. It
// knows nothing of where data comes from or where models go.
//
//	frame := learn.NewFrame(columns) // filled row by row with Append
//	trainer, err := learn.NewTrainer(options, frame, nil)
//	for !trainer.Done() {
//		progress, err := trainer.Epoch(ctx)
//	}
//	data, err := trainer.Model().Encode() // a checkpoint
//
// Everything follows from the data, the options and the seed: the same three
// make the same model, bit by bit, on every machine of one architecture, and a
// trainer that goes on from a checkpoint ends with the model that an
// uninterrupted one would have made. Order of rows matters; time, the number of
// processors and maps do not.
//
// # Columns
//
// A feature is a number or a category. Numbers may be missing: trees learn for
// each split to which side those go, logistic regression takes the mean and
// sees in a further column that the value was missing. A category becomes a
// column for each of its most frequent levels; levels that were not seen in
// training belong to none of them.
package learn
