package persistent

import (
	"math"
	"strings"
	"testing"
	"time"

	wire "github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

	"pgregory.net/rapid"
)

func TestSettingsOfOldAndNewClients(t *testing.T) {
	old := &wire.CreateReq_Settings{
		MessageTimeout:  &wire.CreateReq_Settings_MessageTimeoutTicks{MessageTimeoutTicks: 300_000_000},
		CheckpointAfter: &wire.CreateReq_Settings_CheckpointAfterTicks{CheckpointAfterTicks: math.MaxInt64},
		//lint:ignore SA1019 clients still send it
		NamedConsumerStrategy: wire.CreateReq_Pinned,
	}
	s, err := settingsOf(old, old.GetConsumerStrategy())
	if err != nil || s.MessageTimeout != 30*time.Second || s.CheckpointAfter <= 0 || s.Strategy != Pinned {
		t.Errorf("got %+v, %v", s, err)
	}
	update := &wire.UpdateReq_Settings{
		MessageTimeout:        &wire.UpdateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: 1500},
		NamedConsumerStrategy: wire.UpdateReq_RoundRobin,
	}
	if s, err = settingsOf(update, ""); err != nil || s.MessageTimeout != 1500*time.Millisecond || s.Strategy != RoundRobin {
		t.Errorf("got %+v, %v", s, err)
	}
	if s, err = settingsOf(old, PinnedByCorrelation); err != nil || s.Strategy != PinnedByCorrelation {
		t.Errorf("a name counts more than a number: %+v, %v", s, err)
	}
	for _, missing := range []wireSettings{(*wire.CreateReq_Settings)(nil), (*wire.UpdateReq_Settings)(nil)} {
		if _, err := settingsOf(missing, ""); err == nil {
			t.Error("no settings are taken for settings")
		}
	}
	if _, err := settingsOf(&wire.UpdateReq_Settings{NamedConsumerStrategy: 9}, ""); err == nil {
		t.Error("a strategy that nobody knows is taken")
	}
}

func TestStartsOnTheWire(t *testing.T) {
	if streamStart(math.MaxUint64, false) != FromEnd || streamStart(5, true) != FromEnd || streamStart(7, false) != 7 {
		t.Error("starts are read wrongly")
	}
	for want, s := range map[string]Settings{
		"C:-1/P:-1": {StartFrom: FromEnd, StartPrepare: FromEnd}, "C:5/P:3": {StartFrom: 5, StartPrepare: 3},
	} {
		if got := startText(true, &s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := startText(false, &Settings{StartFrom: FromEnd, StartPrepare: 0}); got != "-1" {
		t.Errorf("got %s", got)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	s := Settings{MaxRetryCount: -1, MinCheckpoint: -1, MaxCheckpoint: -1, MaxSubscribers: -1, MessageTimeout: -1, CheckpointAfter: -1, StartFrom: -2}
	err := s.validate()
	if err == nil {
		t.Fatal("they are taken")
	}
	for _, field := range []string{"max_retry_count", "min_checkpoint_count", "max_checkpoint_count", "max_subscriber_count", "live_buffer_size",
		"history_buffer_size", "read_batch_size", "message_timeout", "checkpoint_after", "start_from", "consumer_strategy"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestCheckpointsAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, place := rapid.Bool().Draw(t, "all"), rapid.Int64Range(-1, math.MaxInt64).Draw(t, "place")
		e := checkpointEvent(all, place)
		if got, err := parseCheckpoint(all, e.Data); err != nil || got != place {
			t.Fatalf("%s is read as %d, %v", e.Data, got, err)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	for _, seed := range []string{`"12"`, `12`, `"C:5/P:5"`, `"C:/P:"`, ``, `"`, `"C:-1/P:-1"`} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, all bool) {
		place, err := parseCheckpoint(all, data)
		if err != nil {
			return
		}
		if again, err := parseCheckpoint(all, checkpointEvent(all, place).Data); err != nil || again != place {
			t.Fatalf("%q is %d, and then %d, %v", data, place, again, err)
		}
	})
}
