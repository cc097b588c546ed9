// Package phone turns what people type into one key per telephone number. It
// owns the rule by which two spellings are the same number; every face, channel
// and import goes through it, so that a person has one contact. It knows no
// noun and keeps nothing.
package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"parley/internal/fault"
)

// MaxInput is how many characters a phone may have as typed.
const MaxInput = 64

// DefaultRegion is the region of tenants that set none: the platform API's
// (seed 001: ten digits get 91).
const DefaultRegion = "IN"

// Key returns the digits that stand for a phone. A leading "+" or "00" makes it
// international; otherwise it is read in region (ISO 3166, "" = DefaultRegion),
// where in IN exactly ten digits always get 91. What cannot be read is kept as
// its digits, so "98765" stays "98765".
//
// Variants of one number fold: Argentina's 54 9 becomes 54, Mexico's 52 1
// becomes 52, and a Brazilian mobile without its ninth digit gets it, because
// that is how it is dialled today. Digits of every script count; an extension
// ("x12", ";ext=12") is dropped. Key("+"+key) is key again.
//
// Text without a digit or of more than MaxInput characters is a fault of the
// field "phone" with Reason "phone".
func Key(raw, region string) (string, error) {
	if len(raw) > MaxInput && utf8.RuneCountInString(raw) > MaxInput {
		return "", bad("a phone must not be longer than %d characters", MaxInput)
	}
	digits, plus := read(raw)
	if digits == "" {
		return "", bad("the phone holds no digits; give a number such as +919876543210")
	}
	if region == "" {
		region = DefaultRegion
	}
	if plus || strings.HasPrefix(digits, "00") {
		return international(trimZeros(digits)), nil
	}
	return national(digits, strings.ToUpper(region)), nil
}

// CheckPlatform applies the platform API's own rule to a key: 10 to 15 digits
// (reference §4.1, INVALID_PHONE).
func CheckPlatform(key string) error {
	for i := 0; i < len(key); i++ {
		if key[i] < '0' || key[i] > '9' {
			return bad("a phone must consist of digits")
		}
	}
	if len(key) < 10 || len(key) > 15 {
		return bad("a phone must have 10 to 15 digits with its country code; this one has %d", len(key))
	}
	return nil
}

func bad(format string, args ...any) error {
	return fault.Field("phone", format, args...).Because("phone")
}

// minForExtension is how many digits must stand before "x" or ";" begins an
// extension.
const minForExtension = 7

// read takes the digits out of raw; plus tells of a "+" before the first one.
func read(raw string) (digits string, plus bool) {
	if plain(raw) {
		return raw, false
	}
	b := make([]byte, 0, len(raw))
	for _, r := range raw {
		switch {
		case r >= '0' && r <= '9':
			b = append(b, byte(r))
		case r == '+' || r == '＋' || r == '﹢':
			plus = plus || len(b) == 0
		case r == 'x' || r == 'X' || r == ';':
			if len(b) >= minForExtension {
				return string(b), plus
			}
		case r > unicode.MaxASCII:
			if d, ok := digit(r); ok {
				b = append(b, '0'+d)
			}
		}
	}
	return string(b), plus
}

func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// digit gives the value of a decimal digit of any script. Unicode keeps each
// script's ten digits together and in order.
func digit(r rune) (byte, bool) {
	if !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	for _, s := range unicode.Nd.R16 {
		if rune(s.Lo) <= r && r <= rune(s.Hi) {
			return byte((r - rune(s.Lo)) % 10), true
		}
	}
	for _, s := range unicode.Nd.R32 {
		if rune(s.Lo) <= r && r <= rune(s.Hi) {
			return byte((r - rune(s.Lo)) % 10), true
		}
	}
	return 0, false
}

// trimZeros drops the "00" that means international, also after a "+". Nothing
// but zeros stays as it is.
func trimZeros(d string) string {
	if strings.Trim(d, "0") == "" {
		return d
	}
	for strings.HasPrefix(d, "00") {
		d = d[2:]
	}
	return d
}

// national reads digits without a country's sign in a region.
func national(d, region string) string {
	if region == "IN" && len(d) == 10 {
		return international("91" + d)
	}
	if region == "IN" && len(d) == 12 && settled(d) {
		return d
	}
	return nationalLong(d, region)
}

func nationalLong(d, region string) string {
	n, err := phonenumbers.Parse(d, region)
	if err != nil {
		return international(d)
	}
	switch {
	case phonenumbers.IsValidNumber(n):
	case region == "IN" || !plausible(n) || validAbroad(d):
		// Not a number of this region: most likely the digits of a key, given back.
		return international(d)
	}
	return international(e164(n))
}

// international settles digits that begin with a country code. Reading a number
// can strip a trunk prefix, and what is left may read differently again, so it
// goes on until nothing changes: that makes Key idempotent.
func international(d string) string {
	now := d
	for range 4 {
		next := fold(settle(now))
		if next == now {
			return now
		}
		now = next
	}
	return d
}

// settle drops a trunk prefix after the country code ("+44 (0)20 ...").
func settle(d string) string {
	if settled(d) {
		return d
	}
	return readLong(d)
}

func readLong(d string) string {
	n, err := phonenumbers.Parse("+"+d, "")
	if err != nil || !(phonenumbers.IsValidNumber(n) || plausible(n)) {
		return d
	}
	return e164(n)
}

// settled recognises the two commonest forms that reading cannot change: ten
// digits after 91 or 1 whose first digit is no trunk prefix. A test compares it
// with the long way.
func settled(d string) bool {
	switch {
	case len(d) == 12 && d[0] == '9' && d[1] == '1':
		return d[2] >= '6'
	case len(d) == 11 && d[0] == '1':
		return d[1] >= '2'
	}
	return false
}

// plausible accepts numbers of a right length whose range the metadata does not
// know: newly opened ranges and the ones reserved for fiction.
func plausible(n *phonenumbers.PhoneNumber) bool {
	return len(phonenumbers.GetNationalSignificantNumber(n)) >= 9 &&
		phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE
}

func validAbroad(d string) bool {
	n, err := phonenumbers.Parse("+"+d, "")
	return err == nil && phonenumbers.IsValidNumber(n)
}

func e164(n *phonenumbers.PhoneNumber) string {
	return strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
}

// marked is how many digits a number has with the mark of a mobile.
const marked = 13

// Unmarked takes the mark of a mobile out of the digits of a number with its
// country's code, or of the beginning of one; keys are without it. Others stay.
func Unmarked(d string) string {
	switch {
	case len(d) > marked:
	case strings.HasPrefix(d, "549"): // Argentina: 9 marks a mobile called from abroad
		return "54" + d[3:]
	case strings.HasPrefix(d, "521"): // Mexico: 1 marked a mobile until 2020
		return "52" + d[3:]
	}
	return d
}

// fold maps the variants of one number to one.
func fold(d string) string {
	switch {
	case len(d) == marked:
		return Unmarked(d)
	case len(d) == 12 && strings.HasPrefix(d, "55") && d[4] >= '6': // Brazil: mobiles got a ninth digit; landlines begin with 2 to 5
		return d[:4] + "9" + d[4:]
	}
	return d
}
