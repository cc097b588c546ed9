package conversation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley/internal/contact"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// Serves reports whether there is a channel of a kind here.
func (s *Service) Serves(kind string) bool { return s.channels[kind] != nil }

// Disconnect forgets an account. Its conversations stay, and go on through another
// account of the kind. Faults: NotFound; Conflict with Reason "messages" while
// messages wait to leave through it.
func (s *Service) Disconnect(ctx context.Context, tenantID id.ID, _ string, accountID id.ID) error {
	return s.db.Write(ctx, tenantID, func(tx *store.Tx) error {
		if err := s.accounts.AloneIn(tx, accountID); err != nil { // whoever promises a message commits before we look
			return err
		}
		waits, err := ledger.WaitsIn(tx, accountID)
		if err != nil {
			return err
		}
		if waits {
			return fault.New(fault.Conflict, "messages wait to be sent through this channel; try again when they are gone").Because("messages")
		}
		return s.accounts.DisconnectIn(tx, accountID)
	})
}

// OwnTemplate is a template that no provider reviews: it is approved as it is.
type OwnTemplate struct {
	Name     string // lower-case letters, digits, underscores
	Language string // "" for en
	Body     string // placeholders as {{prospect.firstName}} or {{1}}
	Defaults map[string]string
}

// maxOwn bounds the templates of one kind of channel.
const maxOwn = 500

// SetOwn replaces the templates of a kind of channel that were made here, in one
// transaction; those of a provider stay. A placeholder takes its default when
// neither the sender nor the contact has a value. Faults: Invalid naming
// "[n].<field>"; Conflict when the provider has a template of the name.
func (t *Templates) SetOwn(ctx context.Context, tenantID id.ID, kind string, list []OwnTemplate) error {
	if len(list) > maxOwn {
		return fault.Field("templates", "a channel has at most %d templates", maxOwn)
	}
	return t.db.Write(ctx, tenantID, func(tx *store.Tx) error {
		if err := tx.Lock("templates", kind); err != nil {
			return err
		}
		known, err := selectTemplates(tx, " AND channel=?", kind)
		if err != nil {
			return err
		}
		var kept []id.ID
		seen := map[string]bool{}
		for i, o := range list {
			tpl, err := o.template(tx, kind, fmt.Sprintf("[%d].", i))
			if err != nil {
				return err
			}
			place := tpl.Name + ":" + tpl.Language
			if seen[place] {
				return fault.Field(fmt.Sprintf("[%d].key", i), "the template %s is listed twice", tpl.Name)
			}
			seen[place] = true
			for _, k := range known {
				if k.Name != tpl.Name || k.Language != tpl.Language {
					continue
				}
				if !k.LastSyncedAt.IsZero() {
					return fault.New(fault.Conflict, "the template %s belongs to the provider; give yours another key", tpl.Name)
				}
				tpl.ID, tpl.CreatedAt = k.ID, k.CreatedAt
			}
			kept = append(kept, tpl.ID)
			if err := saveTemplate(tx, tpl); err != nil {
				return err
			}
		}
		for _, k := range known {
			if k.LastSyncedAt.IsZero() && !slices.Contains(kept, k.ID) {
				if _, err := tx.Exec("DELETE FROM template WHERE tenant_id=? AND id=?", k.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// template checks an own template and makes a row of it.
func (o OwnTemplate) template(tx *store.Tx, kind, at string) (Template, error) {
	tpl := Template{ID: id.New(), Channel: kind, Name: strings.TrimSpace(o.Name), Language: strings.TrimSpace(o.Language), Status: "APPROVED", Category: "UTILITY",
		HeaderType: "NONE", BodyText: strings.TrimSpace(o.Body), OnEmpty: SkipSend, Active: true, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if tpl.Language == "" {
		tpl.Language = "en"
	}
	if err := checkTemplate(tpl); err != nil {
		return tpl, within(at, err)
	}
	tpl.Positions = positions(tpl)
	tpl.Variables = len(tpl.Positions)
	for _, p := range tpl.Positions {
		m := Mapping{Position: p.Position, Component: p.Component, Index: p.Index, Original: p.Original, Label: p.Name, Source: fromManual}
		fallback, err := contact.Line(at+"defaults."+p.Name, o.Defaults[p.Name], maxBody)
		if err != nil {
			return tpl, err
		}
		m.Fallback = fallback
		tpl.Mapping = append(tpl.Mapping, m)
	}
	for name := range o.Defaults {
		if !slices.ContainsFunc(tpl.Positions, func(p Position) bool { return p.Name == name }) {
			return tpl, fault.Field(at+"defaults", "the body has no placeholder {{%s}}", name)
		}
	}
	tpl.MappingStatus, tpl.MappedAt = mappingStatus(tpl.Positions, tpl.Mapping), tx.Now()
	return tpl, nil
}

// within puts a place before the fields that a fault names, by their names of this
// list.
func within(at string, err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	c := *f
	if name, ok := map[string]string{"name": "key", "bodyText": "body"}[f.Field]; ok {
		c.Field = at + name
	} else if f.Field != "" {
		c.Field = at + f.Field
	}
	c.Message = strings.Replace(f.Message, "bodyText", "body", 1)
	c.Fields = nil
	for _, e := range f.Fields {
		c.Fields = append(c.Fields, fault.As(within(at, e)))
	}
	return &c
}
