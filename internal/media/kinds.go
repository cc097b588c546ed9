package media

import (
	"path"
	"slices"
	"strings"

	"parley/internal/channel"
	"parley/internal/fault"
)

// MaxFile is the most bytes of any file.
const MaxFile = 100 << 20

// kinds are the types that may be sent, and the most bytes of each kind (Meta
// Cloud API, "Media, Supported media types"). They are the narrowest of any
// channel here; what a contact sends is bound by MaxFile alone.
var kinds = map[string]struct {
	max   int64
	types []string
}{
	channel.Image:   {5 << 20, []string{"image/jpeg", "image/png"}},
	channel.Sticker: {500 << 10, []string{"image/webp"}},
	channel.Video:   {16 << 20, []string{"video/mp4", "video/3gpp"}},
	channel.Audio:   {16 << 20, []string{"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}},
	channel.Document: {MaxFile, []string{"application/pdf", "text/plain",
		"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation"}},
}

// Limit returns the most bytes of a kind, 0 for an unknown kind.
func Limit(kind string) int64 { return kinds[kind].max }

// KindOf returns the kind that a MIME type is sent as, "" when it is not sent.
func KindOf(mime string) string {
	for kind, k := range kinds {
		if slices.Contains(k.types, mime) {
			return kind
		}
	}
	return ""
}

// Fits says whether a file can be sent as a kind: its own, or a document for
// what is one.
func (f File) Fits(kind string) error {
	if kind == f.Kind && KindOf(f.MIME) == kind {
		return nil
	}
	if f.Kind == "" || KindOf(f.MIME) == "" {
		return fault.Field("mediaType", "a file of type %s cannot be sent; send JPEG, PNG, WebP, MP4, 3GPP, AAC, AMR, MP3, OGG, PDF, text or office files", f.MIME)
	}
	return fault.Field("mediaType", "the file is of type %s and is sent as %s, not as %s", f.MIME, KindOf(f.MIME), kind)
}

// extensions give the ending that a type has.
var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "video/mp4": ".mp4", "video/3gpp": ".3gp",
	"audio/aac": ".aac", "audio/amr": ".amr", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg",
	"application/pdf": ".pdf", "text/plain": ".txt", "application/msword": ".doc", "application/vnd.ms-excel": ".xls",
	"application/vnd.ms-powerpoint":                                             ".ppt",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   ".docx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         ".xlsx",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}

// Name returns the file's name, or one made of its id and type.
func (f File) Name() string {
	if f.Filename != "" {
		return f.Filename
	}
	return f.ID.String() + extensions[f.MIME]
}

// Shown tells whether a browser may show the file in place: pictures, sound and
// film. Everything else is saved, whatever it says it is.
func (f File) Shown() bool {
	family, _, _ := strings.Cut(f.MIME, "/")
	return KindOf(f.MIME) != "" && slices.Contains([]string{"image", "video", "audio"}, family)
}

// maxName bounds a file's name, in characters.
const maxName = 240

// tidyName keeps the last part of a path, without what no file system holds.
func tidyName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/<>:"|?*`, r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, name)
	name = strings.Trim(name, " .")
	if r := []rune(name); len(r) > maxName {
		ending := []rune(path.Ext(name))
		if len(ending) > 12 {
			ending = nil
		}
		name = string(r[:maxName-len(ending)]) + string(ending)
	}
	return name
}
