// Package notify tells people and programs when an outage starts, changes and ends.
//
// A [Planner] decides what is told and when; it is pure. Its notices are committed to the store together with the findings
// that they tell of, and a [Deliverer] hands them to each channel in order, at least once, across restarts and receivers
// that are down: a notice counts as delivered when the receiver took it and the store says so. A receiver that must not see
// one twice knows it by the IDs of its transitions.
package notify
