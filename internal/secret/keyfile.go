package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyFile is the name of the generated key inside the data folder.
const KeyFile = "secret.key"

var errKeySize = fmt.Errorf("secret: the sealing key must be %d bytes, written as 64 hexadecimal digits or as base64", KeySize)

// LoadBox returns the box of the server. env is the value of the environment
// variable (base64 or hex of 32 bytes) and wins when it is not empty; otherwise
// the key is the one in dir/secret.key, which is made on first use with mode
// 0600. Two processes that start at once agree on one key. A key file that
// others can read is refused.
func LoadBox(dir, env string) (*Box, error) {
	if strings.TrimSpace(env) != "" {
		key, err := parseKey(env)
		if err != nil {
			return nil, fmt.Errorf("%w (from the environment)", err)
		}
		return NewBox(key)
	}
	path := filepath.Join(dir, KeyFile)
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(dir, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("secret: make the key file: %w", err)
		}
		key, err = readKey(path)
	}
	if err != nil {
		return nil, err
	}
	return NewBox(key)
}

// parseKey reads 32 bytes as hex or as any usual base64. Its errors never show
// the text.
func parseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if key, err := hex.DecodeString(text); err == nil && len(key) == KeySize {
		return key, nil
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if key, err := enc.DecodeString(text); err == nil && len(key) == KeySize {
			return key, nil
		}
	}
	return nil, errKeySize
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("secret: %s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("secret: %s can be read by others (mode %04o); run chmod 600 on it, and replace the secrets it sealed if strangers had access", path, info.Mode().Perm())
	}
	if info.Size() > 1024 {
		return nil, errKeySize
	}
	text := make([]byte, info.Size())
	if _, err := f.ReadAt(text, 0); err != nil && info.Size() > 0 {
		return nil, err
	}
	key, err := parseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w (from %s)", err, path)
	}
	return key, nil
}

// makeKey writes a new key beside path and links it there. The link appears
// whole or not at all and never replaces another process's key, so nobody can
// read half a key or lose one that already sealed something.
func makeKey(dir, path string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%s.tmp", path, NewToken("", 8))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // crypto/rand.Read never fails since Go 1.24
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the new name itself durable: a key that sealed something must
// not vanish with the power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
