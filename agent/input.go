package agent

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// openRounds opens the file that is named, or standard input. What is read of it ends with ctx.
func (a *app) openRounds(ctx context.Context, args []string) (in io.ReadCloser, name string, err error) {
	if len(args) == 0 || args[0] == "-" {
		return until(ctx, io.NopCloser(a.stdin)), "standard input", nil
	}
	f, err := openUntil(ctx, args[0])
	if err != nil {
		return nil, "", hint(explainInput(ctx, err), "`brownout export` writes such a file")
	}
	return until(ctx, f), args[0], nil
}

// openUntil opens a file until ctx ends: a pipe is waited for until somebody writes to it.
func openUntil(ctx context.Context, path string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.f, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// inputBuffer is what is read at a time of rounds.
const inputBuffer = 256 << 10 // bytes

// unread is how files begin that are not read here, and what makes of each what is.
var unread = []struct{ magic, name, by string }{
	{"\x28\xb5\x2f\xfd", "packed by zstd", "zstd -dc"},
	{"\xfd7zXZ\x00", "packed by xz", "xz -dc"},
	{"BZh", "packed by bzip2", "bzip2 -dc"},
	{"PK\x03\x04", "a zip archive", "unzip -p"},
	{"\xff\xfe", "text in UTF-16", "iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", "text in UTF-16", "iconv -f UTF-16 -t UTF-8"},
}

// unpacked reads in, unpacked where it is gzip (RFC 1952).
func unpacked(in io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(in, inputBuffer)
	magic, _ := b.Peek(6) // what fails now fails again when it is read
	for _, u := range unread {
		if strings.HasPrefix(string(magic), u.magic) {
			return nil, fmt.Errorf("it is %s, which is not read here: give what `%s FILE` writes by standard input", u.name, u.by)
		}
	}
	if !strings.HasPrefix(string(magic), "\x1f\x8b") {
		return b, nil
	}
	return gzip.NewReader(b)
}

// until reads in, unpacked, until ctx ends: then a read that waits, of a terminal or a slow pipe, waits no more.
func until(ctx context.Context, in io.ReadCloser) io.ReadCloser {
	out, to := io.Pipe()
	go func() {
		defer in.Close()
		rounds, err := unpacked(in)
		if err == nil {
			_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{rounds}, make([]byte, inputBuffer))
		}
		to.CloseWithError(err) // of nil it is io.EOF
	}()
	context.AfterFunc(ctx, func() { to.CloseWithError(context.Cause(ctx)) })
	return out
}

// explainInput says that a command was interrupted, if it was, rather than what came of that.
func explainInput(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
