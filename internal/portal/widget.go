package portal

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"parley/internal/fault"
	"parley/internal/id"
)

// Types are the types of widgets (targeting reference §4.9).
var Types = []string{"ACTION_WIDGET", "CONTENT_WIDGET", "ENTITY_WIDGET", "TEASER_WIDGET", "DOCUMENT_WIDGET", "PAYMENT_WIDGET",
	"METER_READING_WIDGET", "METER_CHART_WIDGET", "CAMPAIGN_WIDGET", "PRODUCT_RECOMMENDATIONS_WIDGET"}

// CampaignWidget is the type of a widget that shows a campaign.
const CampaignWidget = "CAMPAIGN_WIDGET"

// referring are the types that carry a campaign_id; teasers are those with an image
// and a button.
var (
	referring = []string{CampaignWidget, "PRODUCT_RECOMMENDATIONS_WIDGET"}
	teasers   = append([]string{"TEASER_WIDGET"}, referring...)
)

const (
	maxWidgets = 200       // of one portal
	maxWidget  = 64 << 10  // bytes of JSON of one widget
	maxList    = 1 << 20   // bytes of JSON of all of them
	maxIndex   = 1_000_000 // of listIndex
	maxName    = 200       // characters of an id
	maxWords   = 2000      // characters of a headline or a label
	maxURL     = 4096      // characters
)

// Widget is one widget of a portal.
type Widget struct {
	ID    string
	Type  string
	Index int // listIndex: where it stands on the page
	// Campaign is the campaign that it refers to, zero when none or when the id is
	// none that Parley makes.
	Campaign id.ID
	Body     map[string]any // the whole of it, as it was given
}

// Headline returns the headline's texts by language, "en" and "de"; nil when the
// widget has none.
func (w Widget) Headline() map[string]string {
	in, _ := w.Body["headline"].(map[string]any)
	var out map[string]string
	for _, lang := range languages {
		if s, ok := in[lang].(string); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[lang] = s
		}
	}
	return out
}

var languages = []string{"en", "de"}

// checkWidgets reads the widgets of a body, or says what is wrong with them.
func checkWidgets(list []map[string]any) ([]Widget, error) {
	if len(list) > maxWidgets {
		return nil, fault.Field("widgets", "a portal has at most %d widgets", maxWidgets)
	}
	out := make([]Widget, 0, len(list))
	seen := make(map[string]bool, len(list))
	total := 0
	for i, body := range list {
		at := fmt.Sprintf("widgets[%d]", i)
		w, size, err := checkWidget(at, body)
		if err != nil {
			return nil, err
		}
		if total += size; total > maxList {
			return nil, fault.Field("widgets", "the widgets of a portal must not be larger than %d bytes of JSON together", maxList)
		}
		if seen[w.ID] {
			return nil, fault.Field(at+".id", "%s.id is the id of another widget of the list already", at)
		}
		seen[w.ID] = true
		out = append(out, w)
	}
	return out, nil
}

func checkWidget(at string, body map[string]any) (w Widget, size int, err error) {
	if body == nil {
		return w, 0, fault.Field(at, "%s must be an object", at)
	}
	w = Widget{Body: body}
	var bad fault.Collector
	if w.ID, err = text(at+".id", body["id"], maxName, true); err != nil {
		bad.Add(err)
	}
	if w.Type, err = text(at+".type", body["type"], maxName, true); err != nil {
		bad.Add(err)
	} else if !slices.Contains(Types, w.Type) {
		bad.Add(fault.Field(at+".type", "%s.type must be one of %s", at, strings.Join(Types, ", ")))
	}
	w.Index, err = index(at+".listIndex", body["listIndex"])
	bad.Add(err)
	bad.Add(words(at+".headline", body["headline"]))
	bad.Add(words(at+".subHeadline", body["subHeadline"]))
	if slices.Contains(teasers, w.Type) {
		_, err = text(at+".imageUrl", body["imageUrl"], maxURL, false)
		bad.Add(err)
		bad.Add(button(at+".button", body["button"]))
	}
	if slices.Contains(referring, w.Type) {
		w.Campaign, err = refers(at+".campaign_id", body["campaign_id"])
		bad.Add(err)
	}
	if err := bad.Err(); err != nil {
		return w, 0, err
	}
	b, err := json.Marshal(body)
	if err != nil || len(b) > maxWidget {
		return w, 0, fault.Field(at, "%s must not be larger than %d bytes of JSON", at, maxWidget)
	}
	return w, len(b), nil
}

// text reads a text of at most limit characters; null is an absent one.
func text(field string, v any, limit int, required bool) (string, error) {
	s, ok := v.(string)
	switch {
	case v == nil && !required:
		return "", nil
	case v == nil, required && ok && strings.TrimSpace(s) == "":
		return "", fault.Missing(field)
	case !ok:
		return "", fault.Field(field, "%s must be a string", field)
	case len([]rune(s)) > limit:
		return "", fault.Field(field, "%s must not be longer than %d characters", field, limit)
	}
	return s, nil
}

// words checks a text that is told in English and in German. Either may be absent.
func words(field string, v any) error {
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return fault.Field(field, `%s must be an object such as {"en": "Hello", "de": "Hallo"}`, field)
	}
	var bad fault.Collector
	for _, lang := range languages {
		_, err := text(field+"."+lang, m[lang], maxWords, false)
		bad.Add(err)
	}
	return bad.Err()
}

func button(field string, v any) error {
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return fault.Field(field, "%s must be an object with label and url", field)
	}
	var bad fault.Collector
	bad.Add(words(field+".label", m["label"]))
	_, err := text(field+".url", m["url"], maxURL, false)
	bad.Add(err)
	return bad.Err()
}

func index(field string, v any) (int, error) {
	if v == nil {
		return 0, fault.Missing(field)
	}
	n, ok := v.(float64)
	if !ok || n != math.Trunc(n) || n < 0 || n > maxIndex {
		return 0, fault.Field(field, "%s must be a whole number between 0 and %d", field, maxIndex)
	}
	return int(n), nil
}

// refers reads the campaign of a widget: none yet, or a UUID. Whether there is such
// a campaign is not asked: a list that was read must be good to be sent again also
// after one of its campaigns was deleted, and what refers to nothing does no harm.
func refers(field string, v any) (id.ID, error) {
	if v == nil {
		return id.Zero, nil
	}
	s, ok := v.(string)
	c, known, err := id.FromUUID(s)
	if !ok || err != nil {
		return id.Zero, fault.Field(field, "%s must be the UUID of a campaign", field)
	}
	if !known {
		return id.Zero, nil
	}
	return c, nil
}
