package sales

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/currency"

	"parley/internal/fault"
	"parley/internal/intake"
)

// defaultsWire is what is meant when a lead names no currency or unit.
type defaultsWire struct {
	Currency string `json:"currency"`
	Distance string `json:"distance"`
}

// part reads one field of a product: the value as it is kept, or why it cannot be.
type part func(field string, v any, std defaultsWire) (any, error)

// products are the fields of each kind that are checked (reference §3.1). What
// else a product holds is kept as it is.
var products = map[string]map[string]part{
	intake.Retail:    plainProduct(nil),
	intake.Insurance: plainProduct(nil),
	intake.Vehicle: plainProduct(map[string]part{
		"modelYear": scalar, "productionYear": scalar, "trimLevel": text, "style": text, "vin": text, "registrationPlate": text,
		"condition":   oneOf("used", "new"),
		"fuelType":    oneOf("gasoline", "diesel", "flex", "hybrid", "electric", "hydrogen", "naturalGas", "propane"),
		"odometer":    object(map[string]part{"amount": number, "unit": oneOf("km", "mi")}, "amount", func(m map[string]any, std defaultsWire) { fill(m, "unit", std.Distance) }),
		"reservation": object(map[string]part{"type": text, "amount": number, "currency": isCurrency}, "", nil),
		"finance":     object(map[string]part{"paymentMonthLength": number}, "", nil),
	}),
	intake.SavingPlan: plainProduct(map[string]part{
		"goodType": oneOf("vehicle", "property", "loan", "other"), "goodSubType": text, "brand": text, "description": text, "condition": text, "planType": text,
		"monthlyPaymentsEstimate": estimate, "creditAmountEstimate": estimate,
	}),
	intake.RealEstate: plainProduct(map[string]part{"title": text, "type": oneOf("residential", "commercial", "industrial", "land")}),
}

var (
	money    = object(map[string]part{"amount": number, "currency": isCurrency}, "amount", withCurrency)
	estimate = object(map[string]part{"lowerEstimate": number, "upperEstimate": number, "currency": isCurrency}, "upperEstimate", withCurrency)
)

// plainProduct adds the fields that every product has.
func plainProduct(more map[string]part) map[string]part {
	out := map[string]part{"make": text, "model": text, "detail": text, "sku": scalar, "price": money}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// readProduct checks a lead's product; nil when there is none.
func readProduct(kind string, raw json.RawMessage, std defaultsWire) (map[string]any, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fault.Field("product", "product must be an object")
	}
	if err := check("product", m, products[kind], std); err != nil {
		return nil, err
	}
	return exact(m).(map[string]any), nil
}

// check reads the fields of an object that have a rule.
func check(at string, m map[string]any, rules map[string]part, std defaultsWire) error {
	var bad fault.Collector
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if m[name] == nil {
			delete(m, name)
			continue
		}
		if rule := rules[name]; rule != nil {
			v, err := rule(at+"."+name, m[name], std)
			bad.Add(err)
			m[name] = v
		}
	}
	return bad.Err()
}

func text(field string, v any, _ defaultsWire) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, fault.Field(field, "%s must be text", field)
	}
	return s, nil
}

// scalar is text or a number: the sources disagree about sku and years.
func scalar(field string, v any, _ defaultsWire) (any, error) {
	switch v.(type) {
	case string, json.Number:
		return v, nil
	}
	return nil, fault.Field(field, "%s must be text or a number", field)
}

func number(field string, v any, _ defaultsWire) (any, error) {
	n, ok := v.(json.Number)
	if ok {
		if f, err := n.Float64(); err == nil && !math.IsInf(f, 0) {
			return v, nil
		}
	}
	return nil, fault.Field(field, "%s must be a number", field)
}

func oneOf(words ...string) part {
	return func(field string, v any, _ defaultsWire) (any, error) {
		if s, ok := v.(string); ok && slices.Contains(words, s) {
			return s, nil
		}
		return nil, fault.Field(field, "%s must be one of %s", field, strings.Join(words, ", "))
	}
}

// isCurrency reads a code of ISO 4217 in any case of letters; it is kept in lower
// case, as the wire wants it.
func isCurrency(field string, v any, _ defaultsWire) (any, error) {
	s, ok := v.(string)
	if _, err := currency.ParseISO(s); !ok || err != nil {
		return nil, fault.Field(field, "%s must be a currency code of ISO 4217 such as usd", field)
	}
	return strings.ToLower(s), nil
}

func withCurrency(m map[string]any, std defaultsWire) { fill(m, "currency", std.Currency) }

func fill(m map[string]any, name, value string) {
	if _, has := m[name]; !has {
		m[name] = value
	}
}

// object reads a nested object, of which required must be there.
func object(rules map[string]part, required string, complete func(map[string]any, defaultsWire)) part {
	return func(field string, v any, std defaultsWire) (any, error) {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fault.Field(field, "%s must be an object", field)
		}
		if required != "" && m[required] == nil {
			return nil, fault.Field(field+"."+required, "%s.%s is required", field, required)
		}
		if err := check(field, m, rules, std); err != nil {
			return nil, err
		}
		if complete != nil {
			complete(m, std)
		}
		return m, nil
	}
}

// exact makes numbers of what was decoded; one that a float cannot hold, such as a
// long sku, stays as text, digit for digit.
func exact(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = exact(x)
		}
	case []any:
		for i, x := range v {
			v[i] = exact(x)
		}
	case json.Number:
		f, err := v.Float64()
		if err != nil || strings.Trim(v.String(), "-0123456789") == "" && fmt.Sprintf("%.0f", f) != v.String() {
			return v.String()
		}
		return f
	}
	return v
}

func itoa(n int) string { return strconv.Itoa(n) }
