// Package store keeps rounds, and what was found in them, in one bbolt file.
//
// A [Commit] is one transaction: the rounds under way or ended, what the detector found, its snapshot and its cursor. After
// a kill at any moment the file holds the last commit whole, and the records of rounds that were under way say how far they
// had got.
//
// Every record carries a CRC-32C (RFC 3720, appendix B.4) over its bucket, key and value, and every round names the round
// before it, so that a damaged or lost record is an error and never a wrong answer. bbolt itself trusts its pages; they are
// inspected before it sees them, and faults of the memory map around it become a [DamagedError].
//
// Sealed rounds are kept by the hundred, by service, in packs. What is older than wanted goes by [Store.Prune], and the room
// it leaves is given back by [Store.Compact], both beside commits.
//
// Two limits. The file never shrinks by itself. And where the newer of bbolt's two meta pages is damaged, the last commit
// cannot be told from one that was torn by a power loss: the store then opens one commit earlier, logs that, and Verify
// reports it.
package store
