package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// put writes a file for everybody to read: whole, or not at all. Folders are not made, since one that is missing is mistyped.
func put(file string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), ".gonogo-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}

// placeFor refuses a file whose folder is not there, before there is anything to write.
func placeFor(file string) error {
	if file == "" || file == "-" {
		return nil
	}
	info, err := os.Stat(filepath.Dir(file))
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return unwritten(file, err)
	}
	return nil
}

// deliver writes a result to standard output, or to a file.
func deliver(w io.Writer, file string, text []byte) error {
	if file == "" || file == "-" {
		_, err := w.Write(text)
		return err
	}
	if err := put(file, text); err != nil {
		return unwritten(file, err)
	}
	return nil
}

// unwritten is the error of a result that could not be written, by the name that the person gave.
func unwritten(file string, err error) error {
	why, dir := err, filepath.Dir(file)
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = fmt.Errorf("there is no folder %s", dir)
	case errors.Is(err, fs.ErrPermission):
		why = fmt.Errorf("folder %s does not let you write", dir)
	case errors.Is(err, syscall.ENOTDIR):
		why = fmt.Errorf("%s is no folder", dir)
	case errors.As(err, &path):
		why = path.Err
	case errors.As(err, &link):
		why = link.Err
	}
	return exitError{code: exitOutput, err: fmt.Errorf("writing %s: %w", file, why)}
}
