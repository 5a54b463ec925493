package imapsync

import "testing"

// aheadIntake reads ahead, which is to count.
type aheadIntake struct {
	Intake
	panics bool
}

func (r *aheadIntake) Read(letters []Fetched) any {
	if r.panics {
		panic("cannot be read")
	}
	return len(letters)
}

func TestReadAhead(t *testing.T) {
	t.Parallel()
	letters := []Fetched{{UID: 1}, {UID: 2}, {UID: 3}, {UID: 4}}
	for name, c := range map[string]struct {
		intake Intake
		want   any
	}{
		"read":      {&aheadIntake{}, 4},
		"a panic":   {&aheadIntake{panics: true}, nil},
		"no Reader": {struct{ Intake }{&aheadIntake{}}, nil},
	} {
		w := &worker{Syncer: &Syncer{cfg: SyncerConfig{Intake: c.intake}}}
		if got := w.read(letters); got != c.want {
			t.Errorf("%s: read = %v, want %v", name, got, c.want)
		}
	}
	left, right := halves(Arrival{Letters: letters, Read: 4})
	if left.Read != nil || right.Read != nil {
		t.Error("half of the letters came with what was read of all")
	}
}
