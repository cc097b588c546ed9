package quote

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
)

const (
	maxItems = 500
	maxLine  = 1000 // characters of concept and code
)

// plain is how numbers may be written: at most 13 digits before and 6 behind the
// point, and a small exponent, so that no number takes memory to hold.
var plain = regexp.MustCompile(`^-?\d{1,13}(\.\d{1,6})?([eE][+-]?\d{1,2})?$`)

var largest = new(big.Rat).SetInt64(1_000_000_000_000)

// decimal reads a number exactly and writes it as short as it goes.
func decimal(field, s string) (*big.Rat, error) {
	n, ok := new(big.Rat).SetString(s)
	if !plain.MatchString(s) || !ok || new(big.Rat).Abs(n).Cmp(largest) > 0 || !n.Mul(n, big.NewRat(1_000_000, 1)).IsInt() {
		return nil, fault.Field(field, "%s must be a decimal number of at most 6 places, not beyond 1000000000000", field)
	}
	return n.Mul(n, big.NewRat(1, 1_000_000)), nil
}

// write writes a number that has a finite decimal form of at most 12 places.
func write(n *big.Rat) string {
	s := n.FloatString(12)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// checkItems tidies items and adds them up.
func checkItems(items []Item) (out []Item, total string, err error) {
	if len(items) == 0 {
		return nil, "", fault.Missing("items")
	}
	if len(items) > maxItems {
		return nil, "", fault.Field("items", "a quote holds at most %d items", maxItems)
	}
	var bad fault.Collector
	sum := new(big.Rat)
	currency := ""
	for i, it := range items {
		at := fmt.Sprintf("items[%d]", i)
		price := new(big.Rat)
		if it.Quantity == "" {
			bad.Add(fault.Missing(at + ".quantity"))
			continue
		}
		quantity, err := decimal(at+".quantity", it.Quantity)
		bad.Add(err)
		if err == nil && quantity.Sign() <= 0 {
			bad.Add(fault.Field(at+".quantity", "%s.quantity must be greater than 0", at))
		}
		if it.Price != "" {
			price, err = decimal(at+".price", it.Price)
			bad.Add(err)
		}
		for _, f := range []struct {
			name string
			v    *string
		}{{".concept", &it.Concept}, {".code", &it.Code}} {
			*f.v, err = contact.Line(at+f.name, *f.v, maxLine)
			bad.Add(err)
		}
		if it.Currency = strings.ToLower(it.Currency); it.Currency != "" {
			switch {
			case !code.MatchString(it.Currency):
				bad.Add(fault.Field(at+".price.currency", "%s.price.currency must be a currency of three letters, such as usd", at))
			case currency == "":
				currency = it.Currency
			case currency != it.Currency:
				bad.Add(fault.Field(at+".price.currency", "the items of a quote must have one currency; make a quote for each"))
			}
		}
		if quantity == nil || price == nil {
			continue
		}
		it.Quantity = write(quantity)
		if it.Price != "" {
			it.Price = write(price)
		}
		sum.Add(sum, quantity.Mul(quantity, price))
		out = append(out, it)
	}
	return out, write(sum), bad.Err()
}

var code = regexp.MustCompile(`^[a-z]{3}$`)
