package store

import bolt "go.etcd.io/bbolt"

// writeTx is a transaction that changes the store. Every change goes through put and remove, so that a copy that is being
// made can follow.
type writeTx struct {
	*bolt.Tx
	touched func(bucket, key []byte) // nil: nobody follows
}

// put writes a record with its checksum.
func (tx *writeTx) put(bucket, key, value []byte) error {
	tx.note(bucket, key)
	sealed := make([]byte, 0, len(value)+checksumSize)
	return tx.Bucket(bucket).Put(key, seal(bucket, key, append(sealed, value...)))
}

func (tx *writeTx) remove(bucket, key []byte) error {
	tx.note(bucket, key)
	return tx.Bucket(bucket).Delete(key)
}

func (tx *writeTx) note(bucket, key []byte) {
	if tx.touched != nil {
		tx.touched(bucket, key)
	}
}
