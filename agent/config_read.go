package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// mostOfFile is more than any file that belongs to a configuration holds: four million targets.
const mostOfFile = 64 << 20 // bytes

// readWhole reads a file that belongs to the configuration. A pipe that nobody writes to, and what has no end, like
// /dev/zero, are errors: to wait for them would be to hang.
func readWhole(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe then opens though nobody writes to it
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, mostOfFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > mostOfFile:
		return nil, fmt.Errorf("it is longer than %d MiB", mostOfFile>>20)
	case len(data) == 0 && info.Mode()&os.ModeNamedPipe != 0:
		return nil, errors.New("it is a pipe to which nobody writes")
	}
	return data, nil
}

// irregular reports whether there is a file of this name that is none to be read whenever wanted.
func irregular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular()
}
