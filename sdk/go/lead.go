package parley

import "time"

// Record is what every stored object carries.
type Record struct {
	ID         string    `json:"id"`
	ClientCode string    `json:"clientCode"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

// Lead is a contact with its primary deal (reference §3.1).
type Lead struct {
	Record
	FirstName       string         `json:"firstName"`
	LastName        string         `json:"lastName"`
	FullName        string         `json:"fullName"`
	Email           string         `json:"email"` // "" when there is none
	Phone           string         `json:"phone"` // digits only
	PipelineID      string         `json:"pipelineId"`
	StageID         string         `json:"stageId"`
	Pipeline        *PipelineBrief `json:"pipeline"`
	Stage           *StageBrief    `json:"stage"`
	Status          string         `json:"status"` // open, won, lost or archived
	DealValue       float64        `json:"dealValue"`
	Currency        string         `json:"currency"`
	DealTitle       string         `json:"dealTitle"`
	Source          string         `json:"source"`
	AssignedTo      string         `json:"assignedTo"`
	Tags            []string       `json:"tags"`
	Metadata        Metadata       `json:"metadata"`
	Score           Score          `json:"score"`
	LastContactedAt time.Time      `json:"lastContactedAt"`
	ConvertedAt     time.Time      `json:"convertedAt"`
	IsArchived      bool           `json:"isArchived"`
	DynamicFields   map[string]any `json:"dynamicFields"`
	EnteredStageAt  time.Time      `json:"enteredStageAt"`
	StageHistory    []StageStay    `json:"stageHistory"`
}

// Metadata of a lead: references to other systems, and anything else.
type Metadata struct {
	Refs  map[string]string `json:"refs,omitempty"`
	Extra map[string]any    `json:"extra,omitempty"`
}

// Score of a lead.
type Score struct {
	Total     float64   `json:"total"` // 0 to 100
	UpdatedAt time.Time `json:"updatedAt"`
}

// StageStay is one stay in a stage. LeftAt is zero while it lasts.
type StageStay struct {
	StageID    string    `json:"stageId"`
	EnteredAt  time.Time `json:"enteredAt"`
	LeftAt     time.Time `json:"leftAt"`
	DurationMs int64     `json:"durationMs"`
}

// PipelineBrief and StageBrief are what a lead shows of where it stands.
type PipelineBrief struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	IsDefault bool   `json:"isDefault"`
}

// StageBrief is the stage of a lead.
type StageBrief struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Color       string  `json:"color"`
	Probability float64 `json:"probability"`
	IsWon       bool    `json:"isWon"`
	IsLost      bool    `json:"isLost"`
	Order       int     `json:"order"`
}

// LeadInput is a lead to create, upsert or import. FirstName and Phone are
// required to create.
type LeadInput struct {
	FirstName     string         `json:"firstName,omitempty"`
	LastName      string         `json:"lastName,omitempty"`
	Phone         string         `json:"phone,omitempty"`
	Email         string         `json:"email,omitempty"`
	Source        string         `json:"source,omitempty"`
	PipelineID    string         `json:"pipelineId,omitempty"`
	StageID       string         `json:"stageId,omitempty"`
	DealValue     float64        `json:"dealValue,omitempty"`
	Currency      string         `json:"currency,omitempty"`
	DealTitle     string         `json:"dealTitle,omitempty"`
	AssignedTo    string         `json:"assignedTo,omitempty"`
	Tags          []string       `json:"tags,omitempty"`
	Metadata      Metadata       `json:"metadata,omitzero"`
	DynamicFields map[string]any `json:"dynamicFields,omitempty"`
}

// LeadUpdate changes a lead: what is left out stays as it is.
type LeadUpdate struct {
	FirstName  Field[string]   `json:"firstName,omitzero"`
	LastName   Field[string]   `json:"lastName,omitzero"`
	Phone      Field[string]   `json:"phone,omitzero"`
	Email      Field[string]   `json:"email,omitzero"`
	Source     Field[string]   `json:"source,omitzero"`
	PipelineID Field[string]   `json:"pipelineId,omitzero"`
	StageID    Field[string]   `json:"stageId,omitzero"` // moves the lead
	DealValue  Field[float64]  `json:"dealValue,omitzero"`
	Currency   Field[string]   `json:"currency,omitzero"`
	DealTitle  Field[string]   `json:"dealTitle,omitzero"`
	AssignedTo Field[string]   `json:"assignedTo,omitzero"`
	Tags       Field[[]string] `json:"tags,omitzero"` // replaces all
	// DynamicFields are merged by key; nil as a value takes a key away.
	DynamicFields map[string]any  `json:"dynamicFields,omitempty"`
	Metadata      *MetadataUpdate `json:"metadata,omitempty"`
}

// MetadataUpdate is merged by key; nil as a value takes a key away.
type MetadataUpdate struct {
	Refs  map[string]*string `json:"refs,omitempty"`
	Extra map[string]any     `json:"extra,omitempty"`
}

// LeadUpsert creates a lead or updates the one that has the phone.
type LeadUpsert struct {
	LeadData   LeadInput      `json:"leadData"`
	ModuleInfo map[string]any `json:"moduleInfo,omitempty"`
	Trigger    string         `json:"trigger,omitempty"` // starts automations afterwards
	PipelineID string         `json:"pipelineId,omitempty"`
	StageID    string         `json:"stageId,omitempty"`
}

// LeadFilter selects leads. What is zero does not count.
type LeadFilter struct {
	Status             string // new, active and open mean the same
	PipelineID         string
	StageID            string
	Source             string
	AssignedTo         string
	Tags               []string
	MinScore           int
	Search             string
	AppointmentID      string
	BookingID          string
	OrderID            string
	MeetingID          string
	StartDate, EndDate time.Time
	Page, Limit        int    // Limit up to 1000, 25 by default
	SortBy             string // score (default), createdAt, updatedAt, dealValue, lastContactedAt
	SortDir            string // desc (default) or asc
}

func (f LeadFilter) query() params {
	return newParams().text("status", f.Status).text("pipelineId", f.PipelineID).text("stageId", f.StageID).
		text("source", f.Source).text("assignedTo", f.AssignedTo).list("tags", f.Tags).number("minScore", f.MinScore).
		text("search", f.Search).text("appointmentId", f.AppointmentID).text("bookingId", f.BookingID).
		text("orderId", f.OrderID).text("meetingId", f.MeetingID).time("startDate", f.StartDate).time("endDate", f.EndDate).
		number("page", f.Page).number("limit", f.Limit).text("sortBy", f.SortBy).text("sortDir", f.SortDir)
}

// ImportResult tells what an import did with its rows.
type ImportResult struct {
	Created int              `json:"created"`
	Updated int              `json:"updated"`
	Failed  int              `json:"failed"`
	Errors  []map[string]any `json:"errors"`
}

// ScoredLead is a lead after its score was computed anew.
type ScoredLead struct {
	Lead
	Breakdown []map[string]any `json:"breakdown"`
}

// TimelineItem is one entry of a lead's timeline (reference §3.10).
type TimelineItem struct {
	Record
	Kind        string         `json:"kind"` // activity or note
	Type        string         `json:"type"`
	Title       string         `json:"title"`
	Body        string         `json:"body"`
	Metadata    map[string]any `json:"metadata"`
	IsPinned    bool           `json:"isPinned"`
	PerformedBy string         `json:"performedBy"`
	CreatedBy   string         `json:"createdBy"`
}
