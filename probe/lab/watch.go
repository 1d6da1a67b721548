package lab

import (
	"fmt"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Cadence is how an agent looks at a simulation.
type Cadence struct {
	Round   time.Duration
	Core    time.Duration // between core passes; 0: none
	Confirm bool          // whether confirmations are made when asked for
}

// Watcher is an agent on a simulation: it sweeps, judges and confirms, without a socket or a clock.
type Watcher struct {
	Simulation *Simulation
	Detector   *outage.Detector
	Cadence    Cadence
	Line       func(*probe.Round)    // told of every line; nil: nobody is
	Found      func(outage.Findings) // told of what an advance found
	Probes     struct{ Full, Core, Confirm int64 }

	now        probe.Instant // of the next look
	next, core probe.Instant // when a round and a core pass are due
}

// allowance is the agent's, by the default manners.
var allowance = outage.Allowance{ICMP: 32, Others: 32}

// Run watches until a moment, from where it was.
func (w *Watcher) Run(until probe.Instant) error {
	const look = 5_000
	if w.now == 0 {
		w.now = w.Simulation.model.Start
		w.next, w.core = w.now, w.now
	}
	for ; w.now < until; w.now = w.now.Add(look) {
		if e := w.Simulation.StoppedAt(w.now); e != nil {
			w.now = e.To // the detector may have been restarted from its snapshot: TestP12Restart shows that nothing changes
			w.next, w.core = w.now, w.now
		}
		f := w.Detector.Advance(w.now)
		w.tell(f)
		if err := w.start(w.now, f.Confirm); err != nil {
			return err
		}
		if w.Cadence.Core == 0 && !w.Cadence.Confirm {
			w.now = max(w.now, w.next-look) // nothing is due before
		}
	}
	return nil
}

// Finish judges all that is left.
func (w *Watcher) Finish() { w.tell(w.Detector.Advance(outage.EndOfTime)) }

func (w *Watcher) tell(f outage.Findings) {
	if w.Found != nil {
		w.Found(f)
	}
}

// start puts what is due at t.
func (w *Watcher) start(t probe.Instant, confirm bool) error {
	if t >= w.next {
		if err := w.put(probe.Full, t, w.Cadence.Round, w.Simulation.Aims(), &w.Probes.Full); err != nil {
			return err
		}
		w.next = t.Add(w.Cadence.Round.Milliseconds())
	}
	if confirm && w.Cadence.Confirm {
		if err := w.put(probe.Confirm, t, 5*time.Second, w.Detector.Confirmation(allowance), &w.Probes.Confirm); err != nil {
			return err
		}
	}
	if w.Cadence.Core > 0 && t >= w.core {
		w.core = t.Add(w.Cadence.Core.Milliseconds())
		return w.put(probe.Core, t, w.Cadence.Core, w.Detector.Core(allowance), &w.Probes.Core)
	}
	return nil
}

func (w *Watcher) put(kind probe.Kind, t probe.Instant, span time.Duration, aims []probe.Aim, count *int64) error {
	if len(aims) == 0 {
		return nil
	}
	r := w.Simulation.Round(kind, t, span, aims)
	for i := range r.Passes {
		*count += int64(r.Passes[i].Targets.Len() - len(r.Passes[i].Unsent))
	}
	if w.Line != nil {
		w.Line(r)
	}
	if err := w.Detector.Put(r); err != nil {
		return fmt.Errorf("watch the simulation at %v: %w", t, err)
	}
	return nil
}
