package phone

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// CountryCode returns the digits that begin every number of a region (ISO 3166,
// "" = DefaultRegion), "91" for IN; "" for a region without telephones.
func CountryCode(region string) string {
	if region == "" {
		region = DefaultRegion
	}
	if n := phonenumbers.GetCountryCodeForRegion(strings.ToUpper(region)); n > 0 {
		return strconv.Itoa(n)
	}
	return ""
}
