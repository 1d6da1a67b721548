// Package web is the API, the metrics and the page of brownout: one HTTP handler, the only code that answers queries.
//
// The running agent serves it over HTTP and over a Unix socket beside the store; with no agent running, the command line
// runs the same handler in process on a store opened for reading. So every answer is the same whoever asks.
//
// Routes, all under /api/v1, for GET and HEAD, are those of openapi.json, which is served too. Lists are JSON arrays with
// one object a line, or CSV by ?format=csv; outages also in IODA's Common Outage Data Format. Times in parameters are
// RFC 3339, unix seconds, or relative to now, like -24h. A wrong or unknown parameter is a problem of RFC 9457, never
// ignored. Answers are compressed, and have an ETag where they are of moderate size.
//
// The page is HTML that says everything in words, tables and SVG; assets/page.js adds what moves. It keeps what it shows in
// the URL, and loads nothing from elsewhere.
//
// Beside them /metrics is for Prometheus, /-/healthy (also /healthz) says that the process answers and its engine does not
// stand still, /-/ready (/readyz) that it measures, and POST /-/reload reads the configuration anew: the one thing that
// changes something, for this machine and for whoever is authenticated.
//
// Two limits. What one protocol answered is not part of the stored summaries: it is counted from the rounds when first asked
// for, about a second for a year, and kept while the process lives. And CODF has no place for an end that is uncertain.
package web
