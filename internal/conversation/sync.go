package conversation

import (
	"context"
	"slices"
	"sort"
	"strings"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Sync reads the templates of every channel that keeps them at its provider and
// makes ours agree: new ones are added, changed ones updated, those missing
// there removed; one that was made here and was never there stays. A template whose number of placeholders changed keeps its
// mapping, marked outdated, until somebody maps it again.
//
// Faults: Unready without an account or its settings; those of the provider.
func (t *Templates) Sync(ctx context.Context, tenantID id.ID) (SyncResult, error) {
	type listing struct {
		kind string
		list []channel.Template
	}
	var all []listing
	var kinds []string
	for k := range t.channels {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		lister, ok := t.channels[kind].(channel.TemplateLister)
		if !ok {
			continue
		}
		a, found, err := t.accounts.Default(t.db.Read(ctx, tenantID), kind)
		if err != nil {
			return SyncResult{}, err
		}
		if !found {
			continue
		}
		list, err := lister.Templates(ctx, a)
		if err != nil {
			return SyncResult{}, err
		}
		all = append(all, listing{kind, list})
	}
	if len(all) == 0 {
		return SyncResult{}, fault.New(fault.Unready, "connect a WhatsApp account before synchronising templates").Because("account")
	}
	return store.Write(ctx, t.db, tenantID, func(tx *store.Tx) (SyncResult, error) {
		out := SyncResult{Outdated: []string{}, New: []string{}, Removed: []string{}}
		for _, l := range all {
			if err := t.agreeIn(tx, l.kind, l.list, &out); err != nil {
				return SyncResult{}, err
			}
		}
		for _, names := range []*[]string{&out.Outdated, &out.New, &out.Removed} {
			sort.Strings(*names)
			*names = slices.Compact(*names)
		}
		return out, nil
	})
}

type templateKey struct{ name, language string }

func (t *Templates) agreeIn(tx *store.Tx, kind string, list []channel.Template, out *SyncResult) error {
	if err := tx.Lock("templates", kind); err != nil {
		return err
	}
	stored, err := selectTemplates(tx, " AND channel=?", kind)
	if err != nil {
		return err
	}
	ours := map[templateKey]Template{}
	for _, s := range stored {
		ours[templateKey{s.Name, s.Language}] = s
	}
	seen := map[templateKey]bool{}
	for _, p := range list {
		k := templateKey{p.Name, p.Language}
		if seen[k] || p.Name == "" {
			continue
		}
		seen[k] = true
		have, known := ours[k]
		next := merged(have, p, kind)
		switch {
		case !known:
			next.ID, next.CreatedAt, next.OnEmpty = id.New(), tx.Now(), "skip_send"
			next.MappingStatus = mappingStatus(next.Positions, nil)
			out.New = append(out.New, p.Name)
		case next.Variables != have.Variables:
			next.MappingStatus = "outdated"
			if next.Variables == 0 {
				next.MappingStatus, next.Mapping = "complete", nil
			}
			out.Outdated = append(out.Outdated, p.Name)
			out.Updated++
		default:
			out.Updated++
		}
		next.LastSyncedAt = tx.Now()
		if err := saveTemplate(tx, next); err != nil {
			return err
		}
		out.Synced++
	}
	for k, s := range ours {
		if seen[k] || s.LastSyncedAt.IsZero() {
			continue // there, or made here and never anywhere else
		}
		if _, err := tx.Exec("DELETE FROM template WHERE tenant_id=? AND id=?", s.ID); err != nil {
			return err
		}
		out.Removed = append(out.Removed, s.Name)
	}
	return nil
}

// merged is the stored template with what the provider says now.
func merged(have Template, p channel.Template, kind string) Template {
	t := have
	t.Channel, t.Name, t.Language, t.ProviderID = kind, p.Name, p.Language, p.ProviderID
	t.Status, t.Category = strings.ToUpper(p.Status), p.Category
	t.HeaderType, t.HeaderText, t.BodyText, t.FooterText = p.HeaderType, p.HeaderText, p.BodyText, p.FooterText
	t.Buttons, t.Components, t.Active = p.Buttons, p.Components, true
	if t.HeaderType == "" {
		t.HeaderType = "NONE"
	}
	t.Positions = positions(t)
	t.Variables = len(t.Positions)
	return t
}
