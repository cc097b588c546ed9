package targeting

import (
	"context"
	"net/http"
	"strings"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/handover"
	"parley/internal/httpx"
	"parley/internal/id"
)

// userWire is a user of the organisation, an agent in Parley's words (reference §5.4;
// the fields are ours).
type userWire struct {
	ID        string  `json:"id"`
	Org       string  `json:"_org"`
	Name      string  `json:"name"`
	FirstName string  `json:"first_name"`
	LastName  string  `json:"last_name"`
	Email     string  `json:"email"`
	Phone     string  `json:"phone"`
	Role      string  `json:"role"`
	Active    bool    `json:"active"`
	GroupID   string  `json:"group_id"`
	CreatedAt *string `json:"created_at"`
	UpdatedAt *string `json:"updated_at"`
	// Deleting is there while the contacts of a user who goes are on their way to
	// somebody else.
	Deleting bool `json:"deleting,omitempty"`
}

func agentUser(r *httpx.Request, a agent.Agent) userWire {
	return userWire{ID: a.ID.UUID(), Org: org(r), Name: a.Name(), FirstName: a.FirstName, LastName: a.LastName, Email: a.Email, Phone: a.Phone, Role: a.Role,
		Active: a.Active, GroupID: a.Group.UUID(), CreatedAt: moment(a.CreatedAt), UpdatedAt: moment(a.UpdatedAt)}
}

// userList is a list of users.
type userList struct {
	Hits    int        `json:"hits"`
	Results []userWire `json:"results"`
}

// userBody makes or changes a user; what is absent or null stays. name is split at its
// first space where first_name and last_name are absent.
type userBody struct {
	Name      *string `json:"name"`
	FirstName *string `json:"first_name"`
	LastName  *string `json:"last_name"`
	Email     *string `json:"email"`
	Phone     *string `json:"phone"`
	Role      *string `json:"role"`
	Active    *bool   `json:"active"`
	GroupID   *string `json:"group_id"`
}

func (b userBody) patch() (agent.Patch, error) {
	p := agent.Patch{FirstName: b.FirstName, LastName: b.LastName, Email: b.Email, Phone: b.Phone, Role: b.Role, Active: b.Active}
	if b.Role != nil && *b.Role == "" { // not the role of those who get none
		return p, fault.Field("role", "role must be owner, admin or agent")
	}
	if b.Name != nil && b.FirstName == nil && b.LastName == nil {
		first, last, _ := strings.Cut(strings.TrimSpace(*b.Name), " ")
		last = strings.TrimSpace(last)
		p.FirstName, p.LastName = &first, &last
	}
	if b.GroupID != nil {
		g, err := parseAnyID("group", *b.GroupID)
		if err != nil {
			return p, fault.Field("group_id", "group_id names no group of this organization")
		}
		p.Group = &g
	}
	return p, nil
}

// userNames are a user's names as this API calls them.
var userNames = strings.NewReplacer("firstName", "first_name", "lastName", "last_name")

// userFault words what the room found wrong as this API does.
func userFault(err error) error {
	w := fault.As(err)
	switch {
	case w == nil:
		return err
	case w.Reason == "contacts":
		return fault.New(fault.Conflict, "the user has contacts; say with transfer_to which user or group gets them")
	case w.Code == fault.NotFound && w.Field == "group":
		return fault.Field("group_id", "group_id names no group of this organization")
	case w.Field == "transferTo":
		return fault.Field("transfer_to", "transfer_to names no user or group of this organization who could take the contacts")
	case w.Reason == "email":
		return fault.New(fault.Conflict, "another user has this e-mail address already; change that user instead")
	case w.Field == "firstName" || w.Field == "lastName":
		named := *w
		named.Field = userNames.Replace(w.Field)
		named.Message = userNames.Replace(w.Message)
		return &named
	}
	return err
}

// addUser makes a user.
func (f *Face) addUser(ctx context.Context, r *httpx.Request, body userBody) (*httpx.Response, error) {
	p, err := body.patch()
	if err != nil {
		return nil, err
	}
	var a agent.Agent
	for _, x := range []struct{ to, given *string }{{&a.FirstName, p.FirstName}, {&a.LastName, p.LastName}, {&a.Email, p.Email}, {&a.Phone, p.Phone}, {&a.Role, p.Role}} {
		if x.given != nil {
			*x.to = *x.given
		}
	}
	if p.Group != nil {
		a.Group = *p.Group
	}
	if a, err = f.s.Agents.Create(ctx, r.Principal.Tenant, actor(r), a); err != nil {
		return nil, userFault(err)
	}
	if p.Active != nil && !*p.Active { // a user is made active
		if a, err = f.s.Agents.Update(ctx, r.Principal.Tenant, actor(r), a.ID, agent.Patch{Active: p.Active}); err != nil {
			return nil, err
		}
	}
	return httpx.JSON(http.StatusCreated, agentUser(r, a)), nil
}

// listUsers answers the users, all of them or as active says.
func (f *Face) listUsers(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	active := r.QueryString("active")
	if active == "" {
		active = agent.Everybody
	}
	top, err := f.s.Agents.Root(ctx, r.Principal.Tenant)
	if err != nil {
		return nil, err
	}
	list, err := f.s.Agents.List(f.s.Agents.Reads(ctx, r.Principal.Tenant), top.ID, active, true)
	if err != nil {
		return nil, err
	}
	out := userList{len(list), make([]userWire, len(list))}
	for i, a := range list {
		out.Results[i] = agentUser(r, a)
	}
	return httpx.JSON(http.StatusOK, out), nil
}

// user finds the user of a path.
func (f *Face) user(ctx context.Context, r *httpx.Request) (agent.Agent, error) {
	uid, err := parseAnyID("agent", r.Param("id"))
	if err != nil {
		return agent.Agent{}, err
	}
	a, err := f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), uid)
	if err == nil && !a.DeletedAt.IsZero() {
		err = fault.Unknown("agent")
	}
	return a, err
}

func (f *Face) showUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	a, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	return httpx.JSON(http.StatusOK, agentUser(r, a)), nil
}

func (f *Face) changeUser(ctx context.Context, r *httpx.Request, body userBody) (*httpx.Response, error) {
	a, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	p, err := body.patch()
	if err != nil {
		return nil, err
	}
	if a, err = f.s.Agents.Update(ctx, r.Principal.Tenant, actor(r), a.ID, p); err != nil {
		return nil, userFault(err)
	}
	return httpx.JSON(http.StatusOK, agentUser(r, a)), nil
}

// removeUser deletes a user. transfer_to names the user or the group that gets the
// open contacts.
func (f *Face) removeUser(ctx context.Context, r *httpx.Request) (*httpx.Response, error) {
	a, err := f.user(ctx, r)
	if err != nil {
		return nil, err
	}
	to, err := f.heir(ctx, r)
	if err != nil {
		return nil, err
	}
	a, pending, err := f.s.Handovers.Remove(ctx, r.Principal.Tenant, actor(r), a.ID, to)
	if err != nil {
		return nil, userFault(err)
	}
	w := agentUser(r, a)
	w.Deleting = pending
	return httpx.JSON(http.StatusOK, w), nil
}

// heir reads who gets the contacts of a user that is deleted.
func (f *Face) heir(ctx context.Context, r *httpx.Request) (to handover.Destination, err error) {
	text := r.QueryString("transfer_to")
	if text == "" {
		return to, nil
	}
	var v id.ID
	if v, err = parseAnyID("agent", text); err != nil {
		return to, fault.Field("transfer_to", "transfer_to must be the id of a user or a group")
	}
	_, err = f.s.Agents.Agent(f.s.Agents.Reads(ctx, r.Principal.Tenant), v)
	switch {
	case err == nil:
		return handover.Destination{Agent: v}, nil
	case fault.As(err) == nil:
		return to, err
	}
	return handover.Destination{Group: v}, nil
}
