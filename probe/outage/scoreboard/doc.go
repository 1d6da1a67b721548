// Scoreboard plays simulated years of the reference world before our detector and before honest re-implementations of its
// peers' rules, and prints what each found, when, and at what price.
//
// Every peer stands twice: at its published setting, and tuned on other years to raise no more false alarms than we do.
// Whatever the source leaves open is read in the peer's favour; what that was stands with each peer, and this holds for all:
//
//   - An address counts as responding if it answers any of our protocols, though most of them know ICMP only.
//   - They see our full rounds, so they have whatever we have but confirmations and core passes.
//   - A round that did not send all of its probes is not shown to them.
//   - Minimum sizes by which the space would be too small for them are waived where the rule makes sense without.
//   - Outages lie a week apart, so that a week's history is never spoilt by the outage before.
//   - Intervals are as wide as is sound: from the last good round's start to the first bad one's end, and mirrored.
//   - Silence that chance brought to all of a block, or of a prefix that we name, for over 90 s is held against nobody.
//
// None of them has our view of the vantage, and what that does to them has rows of its own, apart from the false alarms.
package main
