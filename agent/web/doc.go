// Package web is the API of brownout: one HTTP handler, the only code that answers queries.
//
// The running agent serves it over HTTP and over a Unix socket beside the store; with no agent running, the command line
// runs the same handler in process on a store opened for reading. So every answer is the same whoever asks.
//
// Routes, all under /api/v1, for GET and HEAD: status, blocks, outages, outages/{id}, rounds, rounds/{start},
// addresses/{ip}, changes, states, summaries, export. Lists are JSON arrays with one object a line, or CSV by
// ?format=csv. Times in parameters are RFC 3339, unix seconds, or relative to now, like -24h. A wrong or unknown
// parameter is a problem of RFC 9457, never ignored.
//
// Beside them /-/healthy (also /healthz) says that the process answers, and /-/ready (/readyz) that it measures.
package web
