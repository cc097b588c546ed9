package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/fault"
	"parley/internal/id"
	"parley/internal/job"
	"parley/internal/media"
	"parley/internal/outbox/ledger"
	"parley/internal/store"
)

// Bounds of an upload.
const (
	uploadLeast = time.Minute     // any upload may take this long,
	uploadRate  = 256 << 10       // and a second more for each of so many bytes
	uploadSlack = 5 * time.Second // until a lost one is begun again
	carryPause  = time.Second     // how often a message asks for a file that another one brings
)

// upload is a file that the provider must have before a message can go.
type upload struct {
	row  ledger.Row
	file media.File
}

func (u upload) budget() time.Duration {
	return uploadLeast + time.Duration(u.file.Size/uploadRate)*time.Second
}

// files are the files of ours that a message names.
func files(c *ledger.Content) []*channel.Media {
	var out []*channel.Media
	if c.Media != nil && !c.Media.Own.IsZero() {
		out = append(out, c.Media)
	}
	if t := c.Template; t != nil && t.HeaderMedia != nil && !t.HeaderMedia.Own.IsZero() {
		out = append(out, t.HeaderMedia)
	}
	return out
}

// filesIn gives the files of a row the names by which the account's provider
// knows them. One that it has not yet is uploaded first: waits is true then, and
// the row stays queued until the upload is through or given up for lost. A
// channel without uploads gets the bytes with the message.
func (o *Outbox) filesIn(tx *store.Tx, a channel.Account, row *ledger.Row, out *claimed) (waits bool, err error) {
	for _, m := range files(&row.Content) {
		f, err := o.messages.Files().Get(tx, m.Own)
		if fault.As(err) != nil {
			return true, o.cancelIn(tx, *row, conversation.SendFailure{Title: "the file of the message is not kept here any more"})
		}
		if err != nil {
			return false, err
		}
		if _, ok := o.channels[a.Kind].(channel.Uploader); !ok {
			file := o.bytes(f, m.Filename)
			m.File = &file
			continue
		}
		if m.ID, err = o.messages.Files().Uploaded(tx, f.ID, a.ID); err != nil {
			return false, err
		}
		if m.ID != "" {
			continue
		}
		u := upload{*row, f}
		again := tx.Now().Add(u.budget() + uploadSlack)
		if _, busy := o.carried.Load(carriedKey(a.ID, f.ID)); busy || carrying(out.uploads, f.ID) {
			again = tx.Now().Add(carryPause)
		} else {
			out.uploads = append(out.uploads, u)
		}
		_, err = ledger.ApplyIn(tx, row.ID, ledger.Change{From: []string{ledger.Queued}, To: ledger.Queued, NextAt: again, Why: row.LastError})
		return true, err
	}
	return false, nil
}

func carrying(us []upload, file id.ID) bool {
	for _, u := range us {
		if u.file.ID == file {
			return true
		}
	}
	return false
}

func carriedKey(account, file id.ID) string { return account.String() + file.String() }

func (o *Outbox) bytes(f media.File, name string) channel.File {
	if name == "" {
		name = f.Name()
	}
	return channel.File{Name: name, MIME: f.MIME, Size: f.Size, Open: func(ctx context.Context) (io.ReadCloser, error) {
		return o.messages.Files().Open(ctx, f.Tenant, f.ID)
	}}
}

// carry uploads one file and records the outcome.
func (o *Outbox) carry(a channel.Account, to channel.Uploader, u upload) job.Work {
	return func(ctx context.Context) {
		key := carriedKey(a.ID, u.file.ID)
		if _, busy := o.carried.LoadOrStore(key, true); busy {
			return // the row asks again
		}
		defer o.carried.Delete(key)
		name, good, why := o.hand(ctx, a, to, u)
		err := o.record(ctx, a, func(tx *store.Tx) error { return o.carriedIn(tx, a, u, name, good, why) })
		if err == nil {
			return
		}
		o.o.Logger.Error("could not record an upload; it will be repeated", "message", u.row.ID, "file", u.file.ID, "error", err)
	}
}

// hand calls the channel. An upload that is not clearly refused may be repeated.
func (o *Outbox) hand(ctx context.Context, a channel.Account, to channel.Uploader, u upload) (name string, good time.Duration, why *channel.SendError) {
	if ctx.Err() != nil {
		return "", 0, &channel.SendError{Outcome: released, Title: "the server stopped before uploading"}
	}
	ctx, cancel := context.WithTimeout(ctx, u.budget())
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			o.o.Logger.Error("panic in a channel", "kind", a.Kind, "panic", fmt.Sprint(p))
			why = &channel.SendError{Outcome: channel.Retry, Title: "the channel broke off"}
		}
	}()
	name, good, err := to.Upload(ctx, a, o.bytes(u.file, ""))
	if err == nil {
		return name, good, nil
	}
	if !errors.As(err, &why) {
		why = &channel.SendError{Outcome: channel.Retry, Title: err.Error()}
	}
	clean := *why
	if clean.Title = ledger.Tidy(why.Title); clean.Outcome == channel.Unknown {
		clean.Outcome = channel.Retry
	}
	return "", 0, &clean
}

// carriedIn records an upload: the row may go, waits for another try, or fails.
func (o *Outbox) carriedIn(tx *store.Tx, a channel.Account, u upload, name string, good time.Duration, why *channel.SendError) error {
	if err := o.messages.LockIn(tx, u.row.ID); err != nil {
		return err
	}
	c := ledger.Change{From: []string{ledger.Queued}, To: ledger.Queued, NextAt: tx.Now()}
	if why == nil {
		if err := o.messages.Files().UploadedIn(tx, u.file.ID, a.ID, name, tx.Now().Add(good)); err != nil {
			return err
		}
		_, err := ledger.ApplyIn(tx, u.row.ID, c)
		return err
	}
	if why.AccountWide {
		if err := o.accounts.PauseIn(tx, a.ID, tx.Now().Add(max(why.RetryAfter, firstPause)), why.Title); err != nil {
			return err
		}
	}
	failure := conversation.SendFailure{Code: why.Code, Title: why.Title}
	c.Why = why.Title
	switch why.Outcome {
	case released:
		c.Why = ""
	case channel.Refused:
		c.To = ledger.Failed
	default:
		c.NextAt, c.Failed = tx.Now().Add(backoff(u.row.Failures, why.RetryAfter)), !why.AccountWide
		if c.Failed && u.row.Failures+1 >= o.o.MaxFailures {
			c.To = ledger.Failed
		}
	}
	ok, err := ledger.ApplyIn(tx, u.row.ID, c)
	if err != nil || !ok || c.To != ledger.Failed {
		return err
	}
	return o.messages.FailedIn(tx, actor, u.row.ID, failure)
}
