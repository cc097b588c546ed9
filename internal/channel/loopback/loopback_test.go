package loopback_test

import (
	"context"
	"testing"
	"time"

	"parley/internal/channel"
	"parley/internal/channel/channeltest"
	"parley/internal/channel/loopback"
	"parley/internal/id"
)

func account(settings map[string]string) channel.Account {
	return channel.Account{ID: id.New(), Tenant: id.New(), Kind: "whatsapp", ExternalID: id.New().String(), Settings: settings}
}

func TestConformance(t *testing.T) {
	channeltest.Run(t, func(t *testing.T) channeltest.Harness {
		c := loopback.New("whatsapp", channel.Capabilities{Templates: true, Media: true, Reactions: true, ReplyWindow: 24 * time.Hour})
		const person = "5511987654321"
		file := func(kind string) channel.Outgoing {
			return channel.Outgoing{To: person, Kind: kind, Media: &channel.Media{URL: "https://example.com/f"}}
		}
		return channeltest.Harness{Channel: c, Person: person, Arrived: c.Arrived,
			Account: account(map[string]string{"provider": "loopback"}), Other: account(map[string]string{"provider": "loopback"}),
			Unreachable: account(map[string]string{"provider": "loopback", "state": "down"}),
			Sends: []channel.Outgoing{{To: person, Kind: channel.Text, Text: "Hello"}, file(channel.Image), file(channel.Video), file(channel.Audio), file(channel.Document),
				{To: person, Kind: channel.Reaction, Reaction: "+", ReplyTo: "x"}, {To: person, Kind: channel.TemplateMsg, Template: &channel.TemplateSend{Name: "t"}}},
			Refuse: func() { c.Fail(channel.SendError{Outcome: channel.Refused, Title: "no"}, false) },
			Throttle: func() {
				c.Fail(channel.SendError{Outcome: channel.Retry, Title: "later", RetryAfter: time.Second}, false)
			},
			Lose: func() { c.Fail(channel.SendError{Outcome: channel.Unknown, Title: "?"}, true) },
		}
	})
}

// carrier is a real channel that remembers what it was asked.
type carrier struct{ *loopback.Channel }

func (carrier) Check(channel.Outgoing) error { return nil }
func (carrier) Upload(context.Context, channel.Account, channel.File) (string, time.Duration, error) {
	return "carrier", time.Hour, nil
}
func (carrier) Fetch(context.Context, channel.Account, channel.Media) (channel.Download, error) {
	return channel.Download{MIME: "carrier"}, nil
}

type listing struct{ carrier }

func (listing) Templates(context.Context, channel.Account) ([]channel.Template, error) {
	return []channel.Template{{Name: "carrier"}}, nil
}

func TestOverServesBothKindsOfAccounts(t *testing.T) {
	real := carrier{loopback.New("whatsapp", channel.Capabilities{Templates: true, ReplyWindow: time.Hour})}
	ours, theirs := account(map[string]string{"provider": "loopback"}), account(nil)
	ch, own := loopback.Over(listing{real})
	if ch.Kind() != "whatsapp" || !ch.Capabilities().Templates {
		t.Errorf("%s %+v", ch.Kind(), ch.Capabilities())
	}
	text := channel.Outgoing{ID: id.New(), To: "1", Kind: channel.Text, Text: "x"}
	if res, err := ch.Send(context.Background(), ours, text); err != nil || res.ProviderID == "" || len(own.Sent(ours.ID)) != 1 {
		t.Errorf("%+v %v", res, err)
	}
	if _, err := ch.Send(context.Background(), theirs, text); err == nil || len(own.Sent(theirs.ID)) != 0 {
		t.Error("a real account went through the loopback")
	}
	for a, want := range map[*channel.Account]int{&ours: 0, &theirs: 1} {
		if list, err := ch.(channel.TemplateLister).Templates(context.Background(), *a); err != nil || len(list) != want {
			t.Errorf("%v %v", list, err)
		}
	}
	if name, _, _ := ch.(channel.Uploader).Upload(context.Background(), theirs, channel.File{}); name != "carrier" {
		t.Error(name)
	}
	if name, _, err := ch.(channel.Uploader).Upload(context.Background(), ours, channel.File{}); err != nil || name == "" || name == "carrier" {
		t.Error(name, err)
	}
	if _, err := ch.(channel.Fetcher).Fetch(context.Background(), ours, channel.Media{ID: "x"}); err == nil {
		t.Error("fetched")
	}
	if _, can := ch.(channel.Profiler); can {
		t.Error("it can tell names though its carrier cannot")
	}
}
