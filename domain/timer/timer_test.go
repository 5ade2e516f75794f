package timer_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/timer"
)

var (
	soon  = domaintest.Now.Add(time.Hour)
	set   = timer.Scheduled{Kind: "budget-period", Owner: "bud_1", Due: soon}
	due   = timer.Scheduled{Kind: "budget-period", Owner: "bud_1", Due: domaintest.Now}
	fired = timer.Fired{Kind: "budget-period", Owner: "bud_1", Due: domaintest.Now, Fires: 1}
)

func TestGolden(t *testing.T) {
	domaintest.Golden(t, timer.Aggregate.Facts, set, timer.Cancelled{}, fired)
}

func TestSchedule(t *testing.T) {
	at := timer.Schedule{Kind: "budget-period", Owner: "bud_1", Due: soon}
	domaintest.Given(t, timer.Aggregate).When(at).Then(set)
	domaintest.Given(t, timer.Aggregate, set).When(at).ThenNothing()
	domaintest.Given(t, timer.Aggregate, due).When(at).Then(set)
	domaintest.Given(t, timer.Aggregate, due, fired).When(at).Then(set)
	domaintest.Given(t, timer.Aggregate, set, timer.Cancelled{}).When(at).Then(set)
	later := timer.Schedule{Kind: "budget-period", Owner: "bud_1", Due: soon.Add(time.Second), Sooner: true}
	domaintest.Given(t, timer.Aggregate, set).When(later).ThenNothing()
	sooner := at
	sooner.Due, sooner.Sooner = domaintest.Now, true
	domaintest.Given(t, timer.Aggregate, set).When(sooner).Then(due)
	domaintest.Given(t, timer.Aggregate).When(timer.Schedule{}).ThenError(domain.CodeValidation, "kind", "owner", "due")
}

func TestFireAndCancel(t *testing.T) {
	domaintest.Given(t, timer.Aggregate, due).When(timer.Fire{}).Then(fired)
	domaintest.Given(t, timer.Aggregate, due, fired).When(timer.Fire{}).ThenNothing()
	domaintest.Given(t, timer.Aggregate, set).When(timer.Fire{}).ThenNothing()
	domaintest.Given(t, timer.Aggregate, due, timer.Cancelled{}).When(timer.Fire{}).ThenNothing()
	domaintest.Given(t, timer.Aggregate).When(timer.Fire{}).ThenNothing()
	domaintest.Given(t, timer.Aggregate, due).When(timer.Cancel{}).Then(timer.Cancelled{})
	domaintest.Given(t, timer.Aggregate, due, fired).When(timer.Cancel{}).ThenNothing()
}

// Whatever is asked of a timer: it fires at most once for each time that it was
// set, never early, and counts how often.
func TestFiresOncePerSetting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), timer.Aggregate.New("t")
		settings, fires := 0, 0
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			before := len(log.Events)
			var cmd domain.Decider[timer.State]
			switch rapid.IntRange(0, 3).Draw(t, "command") {
			case 0:
				cmd = timer.Schedule{Kind: "k", Owner: "o", Due: log.Now.Add(time.Duration(rapid.IntRange(-3, 10).Draw(t, "in")) * time.Minute)}
			case 1:
				cmd = timer.Cancel{}
			default:
				cmd = timer.Fire{}
			}
			if err := domaintest.Do(log, timer.Aggregate, "t", s, cmd); err != nil {
				t.Fatal(err)
			}
			for _, e := range log.Events[before:] {
				switch f := e.Fact.(type) {
				case timer.Scheduled:
					settings++
				case timer.Fired:
					fires++
					if log.Now.Before(f.Due) || f.Fires != int64(fires) || fires > settings {
						t.Fatalf("fired at %s: %+v after %d settings", log.Now, f, settings)
					}
				}
			}
			log.Now = log.Now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "later")) * time.Minute)
		}
	})
}
