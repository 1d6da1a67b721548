package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestNotices plays the life of two channels across reopenings: each gets every notice since it was opened, in order, until
// it says that it delivered it.
func TestNotices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.db")
	s := reopened(t, nil, path)
	say(t, s, "to nobody")
	open(t, s, "a")
	say(t, s, "one", "two")
	open(t, s, "a", "b")
	say(t, s, "three")
	s = reopened(t, s, path)
	undelivered(t, s, "a", "one", "two", "three")
	undelivered(t, s, "b", "three")
	delivered(t, s, "b", 3)
	delivered(t, s, "a", 1)
	s = reopened(t, s, path)
	undelivered(t, s, "a", "two", "three")
	undelivered(t, s, "b")
	if n := keptNotices(t, s); n != 2 {
		t.Errorf("%d notices are kept, want the two that a has yet to deliver", n)
	}
	open(t, s, "b") // a is configured no more
	if n := keptNotices(t, s); n != 0 {
		t.Errorf("%d notices are kept for nobody", n)
	}
	say(t, s, "four")
	undelivered(t, s, "b", "four")
	for _, wrong := range []uint64{2, 5} {
		if err := s.Delivered("b", wrong); err == nil {
			t.Errorf("b may be at notice %d, after 3 and of 4", wrong)
		}
	}
	if err := s.Delivered("a", 4); err == nil {
		t.Error("a is not open")
	}
	if state, err := s.NoticeState(); err != nil || string(state) != "state" {
		t.Errorf("the state is %q (%v)", state, err)
	}
}

// TestNoticesAreVerified damages one.
func TestNoticesAreVerified(t *testing.T) {
	s := reopened(t, nil, filepath.Join(t.TempDir(), "notices.db"))
	open(t, s, "a")
	say(t, s, "one")
	if err := s.update(func(tx *writeTx) error { return tx.Bucket(bucketNotices).Put(noticeKey(1), []byte("onE0000")) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(nil); err == nil {
		t.Error("a damaged notice is no finding")
	}
	if _, err := s.Undelivered("a", 9); err == nil {
		t.Error("a damaged notice is delivered")
	}
}

func reopened(t *testing.T, s *Store, path string) *Store {
	t.Helper()
	if s != nil {
		if err := s.Verify(nil); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t *testing.T, s *Store, channels ...string) {
	t.Helper()
	if err := s.OpenNotices(channels); err != nil {
		t.Fatal(err)
	}
}

func say(t *testing.T, s *Store, bodies ...string) {
	t.Helper()
	c := Commit{NoticeState: []byte("state")}
	for _, b := range bodies {
		c.Notices = append(c.Notices, []byte(b))
	}
	if err := s.Commit(c); err != nil {
		t.Fatal(err)
	}
}

func delivered(t *testing.T, s *Store, channel string, n uint64) {
	t.Helper()
	if err := s.Delivered(channel, n); err != nil {
		t.Error(err)
	}
}

func undelivered(t *testing.T, s *Store, channel string, want ...string) {
	t.Helper()
	list, err := s.Undelivered(channel, 9)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, n := range list {
		got = append(got, string(n.Body))
		if i > 0 && n.Number != list[i-1].Number+1 {
			t.Errorf("notice %d follows %d", n.Number, list[i-1].Number)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has yet to deliver %q, want %q", channel, got, want)
	}
	if first, err := s.Undelivered(channel, 1); err != nil || fmt.Sprint(first) != fmt.Sprint(list[:min(1, len(list))]) {
		t.Errorf("the first of them is %v (%v)", first, err)
	}
}

func keptNotices(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketNotices).Cursor()
		for k, _ := c.Seek(noticeKey(0)); len(k) == 9 && k[0] == prefixNotice; k, _ = c.Next() {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
