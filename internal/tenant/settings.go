package tenant

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"time"

	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/store"
)

// Settings are what a tenant may choose. Stored are only the fields that were
// set; reading applies the defaults.
type Settings struct {
	// Region reads phones without a country code (ISO 3166, default IN: the
	// platform API's ten digits get 91).
	Region string `json:"region,omitempty"`
	// Timezone of rules and analytics (IANA, default Asia/Kolkata).
	Timezone string `json:"timezone,omitempty"`
	// Currency of deals that name none (ISO 4217, default INR).
	Currency string `json:"currency,omitempty"`
	// Distance is the unit of distances that name none: km or mi (default km; sales
	// reference §3.1, Defaults).
	Distance string `json:"distance,omitempty"`
	// WorkersMax is how many jobs of the tenant run at once (default 2, seed 000,
	// workers.maxParallelTasks).
	WorkersMax int `json:"workersMax,omitempty"`
	// ProspectShape is how notifications hold a prospect, and its agent: as an array
	// of one or as an object (default array; sales reference §6, 1).
	ProspectShape string `json:"webhookProspectShape,omitempty"`
	// MergePeriodDays is kept for clients that set it; merging has no period here
	// (default 90; sales reference §4.1).
	MergePeriodDays int `json:"mergePeriodDays,omitempty"`
}

// Defaults of Settings.
const (
	DefaultRegion     = "IN"
	DefaultTimezone   = "Asia/Kolkata"
	DefaultCurrency   = "INR"
	DefaultDistance   = "km"
	DefaultWorkersMax = 2
)

func (s Settings) withDefaults() Settings {
	if s.Region == "" {
		s.Region = DefaultRegion
	}
	if s.Timezone == "" {
		s.Timezone = DefaultTimezone
	}
	if s.Currency == "" {
		s.Currency = DefaultCurrency
	}
	if s.Distance == "" {
		s.Distance = DefaultDistance
	}
	if s.ProspectShape == "" {
		s.ProspectShape = "array"
	}
	if s.WorkersMax == 0 {
		s.WorkersMax = DefaultWorkersMax
	}
	if s.MergePeriodDays == 0 {
		s.MergePeriodDays = 90
	}
	return s
}

// zones keeps the zones that were asked for; the table of their names bounds it.
var zones sync.Map // name -> *time.Location

// Location returns the tenant's time zone.
func (s Settings) Location() *time.Location {
	if l, ok := zones.Load(s.Timezone); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(s.Timezone) // reads and parses the zone's table
	if err != nil {                         // stored by a build with another zone table
		return time.UTC
	}
	zones.Store(s.Timezone, l)
	return l
}

var (
	regionForm   = regexp.MustCompile(`^[A-Z]{2}$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
)

// checked returns the settings in their stored form, or says what is wrong.
func (s Settings) checked() (Settings, error) {
	s.Region = strings.ToUpper(strings.TrimSpace(s.Region))
	s.Currency = strings.ToUpper(strings.TrimSpace(s.Currency))
	s.Timezone = strings.TrimSpace(s.Timezone)
	s.Distance = strings.ToLower(strings.TrimSpace(s.Distance))
	var c fault.Collector
	if s.Region != "" && !regionForm.MatchString(s.Region) {
		c.Add(fault.Field("region", "a region is a two-letter country code such as IN"))
	}
	if s.Currency != "" && !currencyForm.MatchString(s.Currency) {
		c.Add(fault.Field("currency", "a currency is a three-letter code such as INR"))
	}
	if s.Timezone != "" {
		if _, err := time.LoadLocation(s.Timezone); err != nil || s.Timezone == "Local" {
			c.Add(fault.Field("timezone", "a time zone is a name such as Asia/Kolkata"))
		}
	}
	if s.Distance != "" && s.Distance != "km" && s.Distance != "mi" {
		c.Add(fault.Field("distance", "distances are counted in km or mi"))
	}
	if s.ProspectShape != "" && s.ProspectShape != "array" && s.ProspectShape != "object" {
		c.Add(fault.Field("webhookProspectShape", "notifications hold a prospect as array or as object"))
	}
	if s.MergePeriodDays < 0 || s.MergePeriodDays > 36500 {
		c.Add(fault.Field("mergePeriodDays", "mergePeriodDays must be a number of days from 1 to 36500"))
	}
	if s.WorkersMax < 0 || s.WorkersMax > 1000 {
		c.Add(fault.Field("workersMax", "the number of workers must be between 1 and 1000"))
	}
	return s, c.Err()
}

// Configure replaces the settings; a zero field means its default. Faults:
// Invalid naming the setting, NotFound.
func (s *Service) Configure(ctx context.Context, tenant id.ID, set Settings) (Tenant, error) {
	return s.EditSettings(ctx, tenant, func(stored *Settings) { *stored = set })
}

// EditSettings changes some of the settings with edit, which gets those that were
// set (zero: the default holds) and may run more than once. Faults as Configure's.
func (s *Service) EditSettings(ctx context.Context, tenant id.ID, edit func(*Settings)) (Tenant, error) {
	return s.Change(ctx, tenant, Edit{Settings: edit})
}

func editSettings(tx *store.Tx, tenant id.ID, edit func(*Settings)) error {
	if err := tx.Lock("tenant", tenant.String()); err != nil {
		return err
	}
	var set Settings
	found, err := store.Found(tx.QueryRow("SELECT settings FROM tenant WHERE tenant_id=?").Scan(store.JSON(&set)))
	if err != nil {
		return err
	}
	if !found {
		return fault.Unknown("tenant")
	}
	edit(&set)
	if set, err = set.checked(); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE tenant SET settings=?, updated_at=? WHERE tenant_id=?", store.JSON(set), tx.Now())
	return err
}

// Settings is SettingsOf for callers without a handle on the database.
func (s *Service) Settings(ctx context.Context, tenant id.ID) (Settings, error) {
	return s.SettingsOf(s.db.Read(ctx, tenant))
}

// SettingsOf returns the settings of r's tenant with defaults applied, or
// NotFound. They come from a cache that forgets a tenant when it changes, so a
// transaction that changes settings sees them here only after its commit.
func (s *Service) SettingsOf(r store.Reader) (Settings, error) {
	key := r.Tenant().String()
	have, version, ok := s.cache.Get(key)
	if ok {
		return have, nil
	}
	var raw json.RawMessage
	found, err := store.Found(r.QueryRow("SELECT settings FROM tenant WHERE tenant_id=?").Scan(store.JSON(&raw)))
	if err != nil {
		return Settings{}, err
	}
	if !found {
		return Settings{}, fault.Unknown("tenant")
	}
	var set Settings
	if err := json.Unmarshal(raw, &set); err != nil {
		return Settings{}, err
	}
	set = set.withDefaults()
	if tx, inside := r.(*store.Tx); inside {
		// What a transaction read counts for others once it is committed.
		tx.After(func() { s.cache.Put(key, set, version) })
	} else {
		s.cache.Put(key, set, version)
	}
	return set, nil
}

// cacheTime bounds how long a node may show settings that another has changed,
// when the database's notifications are lost.
const cacheTime = 30 * time.Second
