package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"kontrol/internal/bench/letters"
)

// filedWatch sees letters appear in the two folders, through inotify, at once.
type filedWatch struct {
	file *os.File
	seen map[string]bool
	at   chan time.Time
}

func (w *world) watchFiled(user string) (*filedWatch, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch folders: %w", err)
	}
	for _, folder := range letters.WireFolders() {
		for _, d := range []string{"cur", "new"} {
			_, err := syscall.InotifyAddWatch(fd, filepath.Join(w.folder(user, folder), d), syscall.IN_MOVED_TO|syscall.IN_CREATE)
			if err != nil {
				_ = syscall.Close(fd)
				return nil, fmt.Errorf("watch %s: %w", folder, err)
			}
		}
	}
	f := &filedWatch{file: os.NewFile(uintptr(fd), "inotify"), seen: map[string]bool{}, at: make(chan time.Time, 100000)}
	go f.read()
	return f, nil
}

// close ends the watching.
func (f *filedWatch) close() { _ = f.file.Close() }

func (f *filedWatch) read() {
	buf := make([]byte, 256<<10)
	for {
		n, err := f.file.Read(buf)
		if err != nil || n <= 0 {
			return
		}
		now := time.Now()
		for at := 0; at+syscall.SizeofInotifyEvent <= n; {
			e := (*syscall.InotifyEvent)(unsafe.Pointer(&buf[at]))
			begin := at + syscall.SizeofInotifyEvent
			name, _, _ := strings.Cut(string(buf[begin:begin+int(e.Len)]), "\x00")
			name, _, _ = strings.Cut(name, ":")
			at = begin + int(e.Len)
			if name != "" && !f.seen[name] {
				f.seen[name] = true
				f.at <- now
			}
		}
	}
}
