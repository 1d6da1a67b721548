// Package agent is the program: its commands, its configuration, and the wiring of probe and store.
//
// [Run] is the whole of it: main hands over its arguments and streams. Each command is one file. Standard output is data,
// standard error is talk. Exit codes: 0 ok, 1 failure, 2 usage or configuration.
//
// A [Config] goes no further than this package: what it wires gets plain fields.
package agent
