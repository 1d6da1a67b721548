package store

import (
	"io/fs"
	"os"
	"path/filepath"
)

// resolve is the file that a path means, which need not exist yet. Where the path is a symbolic link, what is put in the
// file's place, or made beside it, must not come in the place of the link: that would leave the file behind, as it was.
func resolve(path string) string {
	file := path
	for range 40 { // as many as Linux follows; see path_resolution(7)
		info, err := os.Lstat(file)
		if err != nil || info.Mode().Type() != fs.ModeSymlink {
			return file
		}
		to, err := os.Readlink(file)
		if err != nil {
			return file
		}
		if filepath.IsAbs(to) {
			file = to
			continue
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(file)) // ".." of a folder is that of where it is
		if err != nil {
			return file
		}
		file = filepath.Join(dir, to)
	}
	return path // a circle: to open it says so
}
