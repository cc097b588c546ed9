package conversation

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/internal/channel"
	"parley/internal/contact"
	"parley/internal/conversation/variables"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// EmailChannel is the channel of e-mail templates, which no provider reviews.
const EmailChannel = "email"

// TemplatePatch changes a template; nil fields stay.
type TemplatePatch struct {
	Name, Language, Channel *string
	Category                *string // MARKETING, UTILITY, AUTHENTICATION
	HeaderType, HeaderText  *string
	BodyText, FooterText    *string
	Buttons                 *[]channel.TemplateButton
	Subject, ContentType    *string
	Attachments             *[]map[string]any
	Mapping                 *[]Mapping
	OnEmpty                 *string
	Active                  *bool
}

// Bounds of a template (Meta Cloud API, "Message templates").
const (
	maxHeader  = 60
	maxBody    = 1024
	maxFooter  = 60
	maxButtons = 10
	maxMail    = 512 << 10 // bytes of an e-mail's body
)

var templateName = regexp.MustCompile(`^[a-z0-9_]{1,512}$`)
var templateLanguage = regexp.MustCompile(`^[a-z]{2,3}([_-][A-Za-z0-9]{2,4})?$`)

// Create makes a template here. One of a provider's channel waits there for its
// review: it is PENDING until a synchronisation finds it approved. Faults:
// Invalid naming the field; Conflict when name and language are taken.
func (t *Templates) Create(ctx context.Context, tenantID id.ID, p TemplatePatch) (Template, error) {
	return store.Write(ctx, t.db, tenantID, func(tx *store.Tx) (Template, error) {
		tpl := Template{ID: id.New(), Channel: DefaultChannel, Language: "en_US", Status: "PENDING", Category: "UTILITY",
			HeaderType: "NONE", OnEmpty: SkipSend, Active: true, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if p.Channel != nil {
			tpl.Channel = strings.ToLower(strings.TrimSpace(*p.Channel))
		}
		if tpl.Channel == EmailChannel {
			tpl.Status, tpl.ContentType = "APPROVED", "html"
		} else if c := t.channels[tpl.Channel]; c == nil {
			return tpl, fault.Field("channel", "there are no templates of the channel %q", tpl.Channel)
		} else if !c.Capabilities().Templates {
			tpl.Status = "APPROVED" // no provider reviews it: it is a text of ours
		}
		if err := tx.Lock("templates", tpl.Channel); err != nil {
			return tpl, err
		}
		return t.applyIn(tx, tpl, p)
	})
}

// Update changes a template. What a provider has reviewed can only be changed
// there; of such a template the mapping, the policy for empty values and whether
// it is active are ours. Faults as Create's; NotFound; Conflict for the rest.
func (t *Templates) Update(ctx context.Context, tenantID id.ID, nameOrID string, p TemplatePatch) (Template, error) {
	return store.Write(ctx, t.db, tenantID, func(tx *store.Tx) (Template, error) {
		tpl, err := t.lockedIn(tx, nameOrID)
		if err != nil {
			return tpl, err
		}
		if p.Channel != nil && !strings.EqualFold(*p.Channel, tpl.Channel) {
			return tpl, fault.Field("channel", "a template keeps its channel; make another one")
		}
		return t.applyIn(tx, tpl, p)
	})
}

// applyIn applies a patch and stores the result.
func (t *Templates) applyIn(tx *store.Tx, was Template, p TemplatePatch) (Template, error) {
	tpl := was
	text := func(to *string, from *string) {
		if from != nil {
			*to = strings.TrimSpace(*from)
		}
	}
	text(&tpl.Name, p.Name)
	text(&tpl.Language, p.Language)
	text(&tpl.Category, p.Category)
	text(&tpl.HeaderType, p.HeaderType)
	text(&tpl.HeaderText, p.HeaderText)
	text(&tpl.BodyText, p.BodyText)
	text(&tpl.FooterText, p.FooterText)
	text(&tpl.Subject, p.Subject)
	text(&tpl.ContentType, p.ContentType)
	tpl.Category, tpl.HeaderType = strings.ToUpper(tpl.Category), strings.ToUpper(tpl.HeaderType)
	if p.Buttons != nil {
		tpl.Buttons = *p.Buttons
	}
	if p.Attachments != nil {
		tpl.Attachments = *p.Attachments
	}
	if tpl.HeaderType == "" || tpl.HeaderType == "NONE" {
		if tpl.HeaderType = "NONE"; tpl.HeaderText != "" {
			tpl.HeaderType = "TEXT"
		}
	}
	tpl.Positions = positions(tpl)
	tpl.Variables = len(tpl.Positions)
	if !was.LastSyncedAt.IsZero() && !sameContent(was, tpl) {
		return was, fault.New(fault.Conflict, "the template %s belongs to the provider: change it there and synchronise", was.Name)
	}
	if err := checkTemplate(tpl); err != nil {
		return was, err
	}
	if err := checkOnEmpty(deref(p.OnEmpty)); err != nil {
		return was, err
	}
	if p.OnEmpty != nil && *p.OnEmpty != "" {
		tpl.OnEmpty = *p.OnEmpty
	}
	if p.Active != nil {
		tpl.Active = *p.Active
	}
	switch {
	case p.Mapping != nil:
		m, err := checkMapping(tpl, *p.Mapping)
		if err != nil {
			return was, err
		}
		tpl.Mapping, tpl.MappingStatus, tpl.MappedAt = m, mappingStatus(tpl.Positions, m), tx.Now()
	case tpl.Variables != was.Variables && len(tpl.Mapping) > 0:
		tpl.MappingStatus = "outdated"
	case was.MappingStatus != "outdated":
		tpl.MappingStatus = mappingStatus(tpl.Positions, tpl.Mapping)
	}
	same, err := t.named(tx, tpl.Channel, tpl.Name)
	if err != nil {
		return was, err
	}
	if slices.ContainsFunc(same, func(o Template) bool { return o.ID != tpl.ID && o.Language == tpl.Language }) {
		return was, fault.New(fault.Conflict, "there is a template %s in the language %s already", tpl.Name, tpl.Language)
	}
	tpl.Components, tpl.UpdatedAt = was.Components, tx.Now()
	return tpl, saveTemplate(tx, tpl)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// sameContent reports whether two templates differ in nothing that a provider
// reviews.
func sameContent(a, b Template) bool {
	return a.Name == b.Name && a.Language == b.Language && a.Category == b.Category && a.HeaderType == b.HeaderType &&
		a.HeaderText == b.HeaderText && a.BodyText == b.BodyText && a.FooterText == b.FooterText && slices.Equal(a.Buttons, b.Buttons)
}

func checkTemplate(t Template) error {
	var bad fault.Collector
	mail := t.Channel == EmailChannel
	line := func(field, v string, max int) {
		if utf8.RuneCountInString(v) > max || strings.ToValidUTF8(v, "") != v || strings.ContainsRune(v, 0) {
			bad.Add(fault.Field(field, "%s must be text of at most %d characters", field, max))
		}
	}
	switch {
	case t.Name == "":
		bad.Add(fault.Missing("name"))
	case mail:
		_, err := contact.Line("name", t.Name, 200)
		bad.Add(err)
	case !templateName.MatchString(t.Name):
		bad.Add(fault.Field("name", "name may have lower-case letters, digits and underscores, at most 512"))
	}
	if !templateLanguage.MatchString(t.Language) {
		bad.Add(fault.Field("language", "language must be a code such as en or en_US"))
	}
	if !slices.Contains([]string{"MARKETING", "UTILITY", "AUTHENTICATION"}, t.Category) {
		bad.Add(fault.Field("category", "category must be MARKETING, UTILITY or AUTHENTICATION"))
	}
	if !slices.Contains([]string{"NONE", "TEXT", "IMAGE", "VIDEO", "DOCUMENT"}, t.HeaderType) {
		bad.Add(fault.Field("headerType", "headerType must be NONE, TEXT, IMAGE, VIDEO or DOCUMENT"))
	}
	if t.BodyText == "" {
		bad.Add(fault.Missing("bodyText"))
	}
	line("headerText", t.HeaderText, maxHeader)
	line("footerText", t.FooterText, maxFooter)
	line("subject", t.Subject, 998)
	if mail {
		line("bodyText", t.BodyText, maxMail)
		if t.ContentType != "html" && t.ContentType != "text" {
			bad.Add(fault.Field("contentType", "contentType must be text or html"))
		}
	} else {
		line("bodyText", t.BodyText, maxBody)
	}
	if len(t.Buttons) > maxButtons {
		bad.Add(fault.Field("buttons", "a template has at most %d buttons", maxButtons))
	}
	for i, b := range t.Buttons {
		field := fmt.Sprintf("buttons[%d]", i)
		switch b.Type {
		case "URL", "PHONE_NUMBER", "QUICK_REPLY":
			line(field+".text", b.Text, 25)
			line(field+".url", b.URL, 2000)
			line(field+".phoneNumber", b.Phone, 20)
		default:
			bad.Add(fault.Field(field+".type", "a button's type must be URL, PHONE_NUMBER or QUICK_REPLY"))
		}
	}
	return bad.Err()
}

func checkOnEmpty(s string) error {
	if s != "" && !slices.Contains([]string{SkipSend, UseFallback, SendAnyway}, s) {
		return fault.Field("onEmptyVariable", "onEmptyVariable must be skip_send, use_fallback or send_anyway")
	}
	return nil
}

// checkMapping checks what a mapping names and brings its spellings in order.
func checkMapping(tpl Template, mapping []Mapping) ([]Mapping, error) {
	var bad fault.Collector
	seen := map[int]bool{}
	out := slices.Clone(mapping)
	for i := range out {
		m := &out[i]
		at := fmt.Sprintf("mappings[%d].", i)
		if m.Position < 1 || m.Position > len(tpl.Positions) {
			bad.Add(fault.Field(at+"position", "the template has positions 1 to %d", len(tpl.Positions)))
			continue
		}
		if seen[m.Position] {
			bad.Add(fault.Field(at+"position", "position %d is mapped twice", m.Position))
		}
		seen[m.Position] = true
		p := tpl.Positions[m.Position-1]
		m.Component, m.Index, m.Original = p.Component, p.Index, p.Original
		if m.Source = strings.ToLower(strings.TrimSpace(m.Source)); m.Source != "" && !slices.Contains(MappingSources, m.Source) {
			bad.Add(fault.Field(at+"source", "source must be one of %s", strings.Join(MappingSources, ", ")))
		}
		if m.Transform = strings.ToLower(strings.TrimSpace(m.Transform)); m.Transform != "" && !slices.Contains(variables.Transforms, m.Transform) {
			bad.Add(fault.Field(at+"transform", "transform must be one of %s", strings.Join(variables.Transforms, ", ")))
		}
		if m.Formula != "" {
			if err := variables.CheckFormula(m.Formula); err != nil {
				bad.Add(fault.Field(at+"formula", "%v", err))
			}
		}
		if m.Collection != "" && variables.Fields(m.Collection) == nil && m.Source == fromCRM {
			bad.Add(fault.Field(at+"collection", "there is no collection %s; use %s", m.Collection, strings.Join(variables.Collections, ", ")))
		}
		for field, v := range map[string]string{"label": m.Label, "field": m.Field, "staticValue": m.Static, "fallback": m.Fallback} {
			if utf8.RuneCountInString(v) > maxBody || strings.ContainsRune(v, 0) || !utf8.ValidString(v) {
				bad.Add(fault.Field(at+field, "%s must be text of at most %d characters", field, maxBody))
			}
		}
	}
	return out, bad.Err()
}

// Delete removes a template by id, or every language of a name in the channel of
// its oldest, and returns their name. NotFound.
func (t *Templates) Delete(ctx context.Context, tenantID id.ID, nameOrID string) (string, error) {
	return store.Write(ctx, t.db, tenantID, func(tx *store.Tx) (string, error) {
		tpl, err := t.lockedIn(tx, nameOrID)
		if err != nil {
			return "", err
		}
		if tpl.Name == nameOrID {
			_, err = tx.Exec("DELETE FROM template WHERE tenant_id=? AND channel=? AND name=?", tpl.Channel, tpl.Name)
		} else {
			_, err = tx.Exec("DELETE FROM template WHERE tenant_id=? AND id=?", tpl.ID)
		}
		return tpl.Name, err
	})
}
