package media

import (
	"bytes"
	"mime"
	"path"
	"strings"
	"unicode/utf8"
)

// signature is how the bytes of a type begin.
type signature struct {
	at    int
	bytes string
	mime  string
}

var signatures = []signature{
	{0, "\xff\xd8\xff", "image/jpeg"},
	{0, "\x89PNG\r\n\x1a\n", "image/png"},
	{0, "GIF8", "image/gif"},
	{0, "%PDF-", "application/pdf"},
	{0, "OggS", "audio/ogg"},
	{0, "#!AMR", "audio/amr"},
	{0, "ID3", "audio/mpeg"},
	{0, "\xff\xfb", "audio/mpeg"},
	{0, "\xff\xf3", "audio/mpeg"},
	{0, "\xff\xf2", "audio/mpeg"},
	{0, "\xff\xf1", "audio/aac"},
	{0, "\xff\xf9", "audio/aac"},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"},
	{0, "PK\x03\x04", "application/zip"},
	{0, "\x1a\x45\xdf\xa3", "video/webm"},
}

// inside are containers whose content only the name or the sender can tell.
var inside = map[string]map[string]string{
	"application/zip": {
		".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	},
	"application/x-ole-storage": {
		".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	},
}

// sniff tells the type of a file by its first bytes. What its sender says counts
// only between types that begin alike; it can never turn one into another.
func sniff(head []byte, declared, filename string) string {
	declared = bare(declared)
	found := ""
	for _, s := range signatures {
		if len(head) >= s.at+len(s.bytes) && string(head[s.at:s.at+len(s.bytes)]) == s.bytes {
			found = s.mime
			break
		}
	}
	switch {
	case found == "" && len(head) >= 12 && string(head[4:8]) == "ftyp":
		return boxed(string(head[8:12]), declared, filename)
	case found == "" && len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "image/webp"
	case found == "" && isText(head):
		return "text/plain"
	case found == "":
		return "application/octet-stream"
	}
	for ending, t := range inside[found] {
		if strings.EqualFold(path.Ext(filename), ending) || declared == t {
			return t
		}
	}
	return found
}

// boxed tells apart what is kept in an MP4 container, by its brand.
func boxed(brand, declared, filename string) string {
	switch {
	case strings.HasPrefix(brand, "3g"):
		return "video/3gpp"
	case brand == "M4A " || brand == "M4B ", declared == "audio/mp4", strings.EqualFold(path.Ext(filename), ".m4a"):
		return "audio/mp4"
	case brand == "heic" || brand == "heix" || brand == "mif1" || brand == "avif" || brand == "qt  ":
		return "application/octet-stream"
	}
	return "video/mp4"
}

// isText reports whether the bytes are UTF-8 without control characters; the
// last character may be cut off.
func isText(b []byte) bool {
	if len(b) == 0 || bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' }) {
		return false
	}
	for i := 0; i < utf8.UTFMax && len(b) > 0; i++ {
		if utf8.Valid(b) {
			return true
		}
		b = b[:len(b)-1]
	}
	return false
}

// bare is a MIME type without its parameters, "" when it is none.
func bare(t string) string {
	m, _, err := mime.ParseMediaType(t)
	if err != nil || len(m) > 127 || !strings.Contains(m, "/") {
		return ""
	}
	return m
}
