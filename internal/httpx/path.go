package httpx

import (
	"net/url"
	"strings"
)

// cleanPath is the first step for every path. It returns the escaped path in
// one canonical spelling: "//" collapsed, no trailing "/" (except the root),
// and every segment unescaped and escaped again so that only "/" and "%" inside
// a value stay escaped. So "%3A" routes like ":", and a parameter is unescaped
// exactly once afterwards.
func cleanPath(u *url.URL) string {
	p := u.EscapedPath()
	if isClean(p) {
		return p
	}
	var b strings.Builder
	for seg := range strings.SplitSeq(p, "/") {
		if seg == "" {
			continue
		}
		b.WriteByte('/')
		plain, err := url.PathUnescape(seg)
		if err != nil { // net/http refuses such paths before us
			plain = seg
		}
		b.WriteString(segmentEscaper.Replace(plain))
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

var segmentEscaper = strings.NewReplacer("%", "%25", "/", "%2F")

// isClean is the fast answer for the usual path.
func isClean(p string) bool {
	if p == "/" {
		return true
	}
	return strings.HasPrefix(p, "/") && !strings.HasSuffix(p, "/") && !strings.Contains(p, "//") && !strings.Contains(p, "%")
}

// unescape gives a path value its one unescaping.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	v, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return v
}
