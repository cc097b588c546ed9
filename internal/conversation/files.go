package conversation

import (
	"context"
	"errors"
	"net/url"
	"time"

	"parley/internal/channel"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/media"
	"parley/internal/store"
)

// fetchJob brings a contact's file from its provider.
const (
	fetchJob      = "conversation.fetch"
	fetchTimeout  = 5 * time.Minute
	fetchAttempts = 8 // about half an hour with the pauses between them
)

// fetchArgs name the message whose file is to be fetched. URL is where the
// provider keeps it for now; nobody else needs to know.
type fetchArgs struct {
	Message id.ID  `json:"message"`
	URL     string `json:"url,omitempty"`
}

// namesFile reports whether a message names a file, for package media.
func (s *Service) namesFile(r store.Reader, file id.ID) (bool, error) {
	var one int
	return store.Found(r.QueryRow("SELECT 1 FROM message WHERE tenant_id=? AND media_id=? LIMIT 1", file).Scan(&one))
}

// ownIn recognises a file of ours by its address or id and holds it for the
// transaction; any other address must be one that the provider may fetch
// itself: this server never fetches what a sender names (docs/decisions/0016).
func (s *Service) ownIn(tx *store.Tx, m *channel.Media, kind string) (*media.File, error) {
	if m == nil {
		return nil, nil
	}
	if m.Own.IsZero() && m.URL != "" {
		if file, ok := s.files.Ours(tx, m.URL); ok {
			m.Own, m.URL = file, ""
		} else if m.ID == "" {
			return nil, checkLink(m.URL)
		}
	}
	if m.Own.IsZero() {
		return nil, nil
	}
	f, err := s.files.HoldIn(tx, m.Own)
	if fault.As(err) != nil {
		return nil, fault.Field("mediaUrl", "mediaUrl names a file that is not kept here any more; upload it again")
	}
	if err != nil {
		return nil, err
	}
	if kind == "" {
		kind = f.Kind
	}
	if err := f.Fits(kind); err != nil {
		return nil, err
	}
	m.MIME = f.MIME
	if m.Filename == "" {
		m.Filename = f.Name()
	}
	return &f, nil
}

// checkLink refuses addresses that no provider fetches.
func checkLink(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return fault.Field("mediaUrl", "mediaUrl must be an https address without a user name, or the url that an upload answered")
	}
	return nil
}

// fetchIn owes the file of a stored inbound message.
func (in *intake) fetchIn(m Message, at *channel.Media) error {
	if m.Media == nil || !hasFile(m.Kind) {
		return nil
	}
	if _, ok := in.s.channels[in.account.Kind].(channel.Fetcher); !ok {
		return nil
	}
	_, _, err := job.Enqueue(in.tx, job.New{Kind: fetchJob, Args: fetchArgs{m.ID, at.URL}, UniqueKey: "fetch:" + m.ID.String(), MaxAttempts: fetchAttempts})
	return err
}

// fetch brings the file of one message: the bytes come in by transactions of
// their own, the message names them in one with the job's end. A file that was
// stored when the server died is not named by anybody and is swept.
func (s *Service) fetch(ctx context.Context, j *job.Job) error {
	var args fetchArgs
	if err := j.Decode(&args); err != nil {
		return job.GiveUp(err)
	}
	r := s.db.Read(ctx, j.Tenant)
	m, found, err := messageByID(r, args.Message)
	if err != nil {
		return err
	}
	if !found || m.Media == nil || !m.Media.File.IsZero() {
		return nil // deleted, or done by an attempt that was taken for dead
	}
	f, err := s.download(ctx, r, m, args.URL)
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, j.Tenant, func(tx *store.Tx) error {
		m, _, found, err := s.lockedIn(tx, args.Message)
		if err != nil {
			return err
		}
		if found && m.Media != nil {
			if _, err := s.files.HoldIn(tx, f.ID); err != nil {
				return err
			}
			m.Media.File, m.Media.URL, m.Media.MIME, m.Media.Size, m.Media.Missing = f.ID, "", f.MIME, f.Size, ""
			if m.Media.Filename == "" {
				m.Media.Filename = f.Filename
			}
			if err := saveMessage(tx, m); err != nil {
				return err
			}
			if err := s.tellIn(tx, "system", "message.updated", m, "mediaUrl"); err != nil {
				return err
			}
		}
		return j.Complete(tx)
	})
	if err != nil {
		_ = s.files.Delete(context.WithoutCancel(ctx), j.Tenant, f.ID)
	}
	return err
}

// errNoFile ends a fetch for good.
type errNoFile struct{ why string }

func (e errNoFile) Error() string { return e.why }

// download streams a message's file from its provider into package media.
func (s *Service) download(ctx context.Context, r store.Reader, m Message, address string) (media.File, error) {
	c, err := conversationByID(r, m.Conversation)
	if err != nil {
		return media.File{}, gone(err, "its conversation was deleted")
	}
	a, err := s.accounts.Get(r, c.Account)
	if err != nil {
		return media.File{}, gone(err, "its account is not connected any more")
	}
	fetcher, ok := s.channels[a.Kind].(channel.Fetcher)
	if !ok {
		return media.File{}, job.GiveUp(errNoFile{"this server cannot fetch files of this channel"})
	}
	if address == "" {
		address = m.Media.URL
	}
	got, err := fetcher.Fetch(ctx, a, channel.Media{ID: m.Media.ProviderID, URL: address, MIME: m.Media.MIME, Filename: m.Media.Filename})
	if err != nil {
		return media.File{}, refusal(err)
	}
	defer got.Body.Close()
	if got.Size > media.MaxFile {
		return media.File{}, job.GiveUp(errNoFile{"the file is larger than this server takes"})
	}
	n := media.NewFile{Filename: m.Media.Filename, MIME: got.MIME, Kind: m.Kind, Origin: media.Inbound}
	if n.Filename == "" {
		n.Filename = got.Filename
	}
	f, err := s.files.Put(ctx, a.Tenant, n, got.Body)
	if e := fault.As(err); e != nil && (e.Code == fault.TooLarge || e.Code == fault.Invalid) {
		return f, job.GiveUp(errNoFile{e.Message})
	}
	if err == nil && (got.SHA256 != "" && got.SHA256 != f.SHA256 || got.Size > 0 && got.Size != f.Size) {
		_ = s.files.Delete(context.WithoutCancel(ctx), a.Tenant, f.ID)
		err = errNoFile{"the file arrived damaged"}
	}
	return f, err
}

func gone(err error, why string) error {
	if fault.As(err) != nil {
		return job.GiveUp(errNoFile{why})
	}
	return err
}

// refusal tells a file that is not to be had from a provider that is not to be
// reached.
func refusal(err error) error {
	var e *channel.SendError
	if !errors.As(err, &e) {
		return err
	}
	if e.Outcome == channel.Refused {
		return job.GiveUp(errNoFile{e.Title})
	}
	return errNoFile{e.Title}
}

// unfetched shows on a message that its file will not come.
func (s *Service) unfetched(tx *store.Tx, j *job.Job, cause error) error {
	var args fetchArgs
	if err := j.Decode(&args); err != nil {
		return nil
	}
	m, _, found, err := s.lockedIn(tx, args.Message)
	if err != nil || !found || m.Media == nil || !m.Media.File.IsZero() {
		return err
	}
	why := "the file could not be fetched from the provider"
	var e errNoFile
	if errors.As(cause, &e) {
		why += ": " + storable(e.why)
	}
	m.Media.Missing = why
	if m.Error == nil {
		m.Error = &SendFailure{Title: why}
	}
	if err := saveMessage(tx, m); err != nil {
		return err
	}
	return s.tellIn(tx, "system", "message.updated", m, "mediaUrl", "error")
}
