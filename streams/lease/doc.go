// Package lease lets several processes agree on one that does a piece of work:
// leader election by a stream of the log, "lease-<name>".
//
//	keeper, err := lease.New(lease.Config{Store: log, Name: "relay"})
//	err = keeper.Run(ctx, func(ctx context.Context, term *lease.Term) error {
//		at := parse(term.State())                 // what the last holder saved
//		for ctx.Err() == nil {
//			if err := term.Err(); err != nil {    // the clock says so, at once
//				return err
//			}
//			at = work(ctx, at)
//			if err := term.Save(ctx, format(at)); err != nil {
//				return err                        // somebody else holds it now
//			}
//		}
//		return ctx.Err()
//	})
//
// Every record of the stream is appended at exactly the revision its writer
// knows. Whoever appends "acquired" has the lease; the revision of that record
// is its token. The holder goes on to append "renewed" records, which can carry
// a state, and at the end "released".
//
// # What is promised
//
// State saved by [Term.Save] is fenced by the log itself: it is stored only if
// nobody has acquired the lease in between, whatever any clock says and however
// long the holder was paused or cut off. No state is lost, and the next holder
// finds the last one. Work whose progress is that state is safe without any
// assumption about time.
//
// [Term.Err] is about work outside of the log. A holder counts the time to live
// from before it sent the last record that was accepted; a challenger counts it,
// and an eighth more, from when it has first read that record. Both only look at
// how much time has passed on their own clock. So no two of them hold the lease
// at the same moment as long as no clock runs more than an eighth faster than
// another; what time the clocks show does not matter, and stepping one does no
// harm (a step forward may cost the holder its lease).
//
// A process that is stopped between asking Err and acting can still act late: no
// lease can prevent that. [Term.Token] grows with every holder, so that a
// receiver which remembers the greatest one can refuse what comes late; and
// actions should be harmless when done twice.
//
// # What it costs
//
// One small event each third of the time to live while nothing is saved, and one
// read each tenth of it in every challenger. Streams keep the latest records
// only; a scavenge removes the others.
package lease
