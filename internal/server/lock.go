package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked says that a running server holds the data folder.
var ErrLocked = errors.New("a server is running on this data folder")

// Lock is held by whoever has the SQLite file of a data folder open. It ends
// with the process, however that ends.
type Lock struct{ f *os.File }

// TakeLock takes a data folder's lock, or returns ErrLocked. It makes the folder.
func TakeLock(data string) (*Lock, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(data, "parley.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the data folder's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, err
	}
	return &Lock{f}, nil
}

// Release gives the folder up.
func (l *Lock) Release() {
	if l != nil {
		_ = l.f.Close()
	}
}

// maxSocketPath is what a Unix socket's address can hold, with its end mark.
const maxSocketPath = 100

// SocketPath is where the command socket of a data folder stands: in the folder,
// or, when that path is too long for a socket, in a private folder beside the
// system's temporary files.
func SocketPath(data string) (string, error) {
	abs, err := filepath.Abs(data)
	if err != nil {
		return "", err
	}
	if p := filepath.Join(abs, "parley.sock"); len(p) < maxSocketPath {
		return p, nil
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(os.TempDir(), fmt.Sprintf("parley-%d-%s", os.Getuid(), hex.EncodeToString(sum[:8])), "sock"), nil
}

// listenSocket opens the command socket for its owner alone.
func listenSocket(data string) (net.Listener, error) {
	path, err := SocketPath(data)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	_ = os.Remove(path) // left by a process that was killed: the lock is ours
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("cannot open the command socket: %w", err)
	}
	return l, os.Chmod(path, 0o600)
}
