package sales

import (
	"context"
	"slices"

	"parley/internal/agent"
	"parley/internal/httpx"
	"parley/internal/id"
)

// groupWire is a group and where it stands (reference §3.5, GroupNode).
type groupWire struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	Name        string   `json:"name"`
	Parent      string   `json:"parent,omitempty"`
	Ancestors   []string `json:"ancestors"`
	Descendants []string `json:"descendants"`
	Type        []string `json:"type"`
	Timezone    string   `json:"timezone,omitempty"`
	CountryCode string   `json:"countryCode,omitempty"`
}

// groups answers every group that the key sees, its own first; with a parent
// those below that one (reference §6, 4).
func (f *Face) groups(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	parent, err := queryID(r, "parent", "group")
	if err != nil {
		return nil, err
	}
	return f.nodes(ctx, r, parent, func(top id.ID) ([]agent.Node, error) {
		return f.s.Agents.Descendants(f.s.Agents.Reads(ctx, r.Principal.Tenant), top, parent.IsZero())
	})
}

// children answers the groups directly below one: the one of the path or of the
// query, else the key's own (reference §2.7).
func (f *Face) children(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	parent, err := queryID(r, "parent", "group")
	if err == nil && r.Param("groupId") != "" {
		parent, err = pathID(r, "groupId", "group")
	}
	if err != nil {
		return nil, err
	}
	return f.nodes(ctx, r, parent, func(top id.ID) ([]agent.Node, error) {
		return f.s.Agents.Children(f.s.Agents.Reads(ctx, r.Principal.Tenant), top)
	})
}

// group answers one group.
func (f *Face) group(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	gid, err := f.pathGroup(ctx, r)
	if err != nil {
		return nil, err
	}
	node, err := f.s.Agents.Node(f.s.Agents.Reads(ctx, r.Principal.Tenant), gid)
	if err != nil {
		return nil, err
	}
	list, err := f.groupsOf(ctx, r, []agent.Node{node})
	if err != nil {
		return nil, err
	}
	return reply(r, list[0])
}

// nodes answers what find returns of a group that the key must see; the zero id
// is the key's own.
func (f *Face) nodes(ctx context.Context, r *httpx.Request, of id.ID, find func(top id.ID) ([]agent.Node, error)) (*httpx.Response, error) {
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	if !of.IsZero() {
		if err := f.sees(ctx, r, of); err != nil {
			return nil, err
		}
		top = of
	}
	list, err := find(top)
	if err != nil {
		return nil, err
	}
	out, err := f.groupsOf(ctx, r, list)
	if err != nil {
		return nil, err
	}
	return reply(r, out)
}

// pathGroup returns the group that the path names when the key sees it.
func (f *Face) pathGroup(ctx context.Context, r *httpx.Request) (id.ID, error) {
	gid, err := pathID(r, "groupId", "group")
	if err == nil {
		err = f.sees(ctx, r, gid)
	}
	return gid, err
}

// groupsOf writes groups, in their order. What stands above the key's group does
// not exist for it, so it is in no list of ancestors.
func (f *Face) groupsOf(ctx context.Context, r *httpx.Request, list []agent.Node) ([]groupWire, error) {
	top, err := f.scope(ctx, r)
	if err != nil {
		return nil, err
	}
	reads := f.s.Agents.Reads(ctx, r.Principal.Tenant)
	zones := map[id.ID]string{} // of groups whose zone was asked for
	out := make([]groupWire, len(list))
	for i, n := range list {
		above := n.Ancestors
		if n.ID == top {
			above = nil
		} else if at := slices.Index(above, top); at >= 0 {
			above = above[:at+1]
		}
		w := groupWire{ID: n.ID.String(), DisplayName: n.DisplayName, Name: n.Name, Ancestors: texts(above), Descendants: texts(n.Descendants),
			Type: append([]string{}, n.Types...), Timezone: n.Timezone, CountryCode: n.CountryCode}
		if w.DisplayName == "" {
			w.DisplayName = n.Name
		}
		if len(above) > 0 {
			w.Parent = n.Parent.String()
		}
		if w.Timezone == "" {
			zone, ok := zones[n.Parent]
			if !ok {
				location, err := f.s.Agents.Location(reads, n.ID, id.Zero)
				if err != nil {
					return nil, err
				}
				zone = location.String()
				zones[n.Parent] = zone // siblings without one of their own share it
			}
			w.Timezone = zone
		}
		out[i] = w
	}
	return out, nil
}

func texts(list []id.ID) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}
