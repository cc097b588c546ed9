package platform

import (
	"encoding/json"
	"strings"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/id"
)

// conversationView is a conversation (reference §3.13).
type conversationView struct {
	record
	LeadID            ref       `json:"leadId"`
	Channel           string    `json:"channel"`
	Phone             string    `json:"phone"`
	UserName          string    `json:"userName"`
	ProfilePicture    orNull    `json:"profilePicture"`
	LastMessage       string    `json:"lastMessage"`
	LastMessageID     ref       `json:"lastMessageId"`
	LastMessageType   orNull    `json:"lastMessageType"`
	LastMessageStatus orNull    `json:"lastMessageStatus"`
	LastMessageSender orNull    `json:"lastMessageSender"` // admin or user
	LastMessageAt     stamp     `json:"lastMessageAt"`
	LastUserMessageAt stamp     `json:"lastUserMessageAt"`
	UnreadCount       int       `json:"unreadCount"`
	Status            string    `json:"status"`
	Owner             ownerView `json:"owner"` // ours
}

// ownerView is who answers in a conversation. It is our addition.
type ownerView struct {
	Kind    string `json:"kind"` // bot, queue or agent
	Agent   orNull `json:"agent"`
	Since   stamp  `json:"since"`
	Version int    `json:"version"`
}

// ownerMoveView is one entry of an owner's history.
type ownerMoveView struct {
	Version int       `json:"version"`
	Action  string    `json:"action"`
	From    ownerView `json:"from"`
	To      ownerView `json:"to"`
	Actor   string    `json:"actor"`
	At      stamp     `json:"at"`
}

// ownerAnswer is a conversation's owner with the moves that led there.
type ownerAnswer struct {
	ownerView
	History []ownerMoveView `json:"history"`
}

// moveInput is the body of a move.
type moveInput struct {
	Action  *string `json:"action"`
	Agent   *string `json:"agent"`
	AgentID *string `json:"agentId"`
	Version *int    `json:"version"`
}

// conversationInput is the body of create, link-lead and update (§2.2).
type conversationInput struct {
	Phone     *string `json:"phone"`
	To        *string `json:"to"` // alias of phone
	Name      *string `json:"name"`
	UserName  *string `json:"userName"` // alias of name
	FirstName *string `json:"firstName"`
	LastName  *string `json:"lastName"`
	Email     *string `json:"email"`
	LeadID    *string `json:"leadId"`
	Lead      *string `json:"lead"` // alias of leadId
	Status    *string `json:"status"`
}

// name is the person's name in whichever spelling it came.
func (in conversationInput) name() string {
	if n := value(first(in.Name, in.UserName)); n != "" {
		return n
	}
	return strings.TrimSpace(value(in.FirstName) + " " + value(in.LastName))
}

// starInput and reactInput are the bodies of star and react (§2.1).
type starInput struct {
	IsStarred *bool `json:"isStarred"`
	Starred   *bool `json:"starred"` // alias
}

type reactInput struct {
	Reaction *string `json:"reaction"`
	Emoji    *string `json:"emoji"` // alias
}

// uploadView is a file that was uploaded (§2.1).
type uploadView struct {
	URL      string `json:"url"`
	Type     string `json:"type"` // the kind of message that carries it
	MimeType string `json:"mimeType"`
	Filename string `json:"filename"`
	Size     int64  `json:"sizeBytes"`
	SHA256   string `json:"sha256"`
	ID       id.ID  `json:"id"`
}

// message is one message (reference §3.14, §3.22).
type message struct {
	record
	ConversationID    id.ID          `json:"conversationId"`
	LeadID            ref            `json:"leadId"`
	Direction         string         `json:"direction"`
	MessageType       string         `json:"messageType"`
	Type              string         `json:"type"` // alias of messageType
	Text              string         `json:"text"`
	Caption           orNull         `json:"caption"`
	Filename          orNull         `json:"filename"`
	MediaURL          orNull         `json:"mediaUrl"` // "processing" until the file is fetched
	MediaType         orNull         `json:"mediaType"`
	WhatsappMessageID orNull         `json:"whatsappMessageId"`
	SentBy            string         `json:"sentBy"`
	Status            string         `json:"status"`
	StatusHistory     []statusAt     `json:"statusHistory"`
	Error             *sendError     `json:"error"`
	IsStarred         bool           `json:"isStarred"`
	ReplyTo           ref            `json:"replyTo"`
	ReplyToWhatsappID orNull         `json:"replyToWhatsappId"`
	Reactions         []reaction     `json:"reactions"`
	Reaction          orNull         `json:"reaction"` // the latest emoji
	TemplateData      *templateData  `json:"templateData"`
	TemplateName      orNull         `json:"templateName"`
	Metadata          map[string]any `json:"metadata"`
}

type statusAt struct {
	Status    string `json:"status"`
	Timestamp stamp  `json:"timestamp"`
}

type sendError struct {
	Code  int    `json:"code"`
	Title string `json:"title"`
}

type reaction struct {
	Emoji   string `json:"emoji"`
	ReactBy string `json:"reactBy"`
}

type templateData struct {
	Name       string                   `json:"name"`
	Language   string                   `json:"language"`
	HeaderType orNull                   `json:"headerType"`
	Footer     orNull                   `json:"footer"`
	Buttons    []channel.TemplateButton `json:"buttons"`
	Variables  []string                 `json:"variables"`
}

// sentMessage is the answer to a send: the message, and the message again under
// the key that other clients read (reference §2.1).
type sentMessage struct {
	message
	Message message `json:"message"`
}

// sendInput is the body of send and sendTemplate (reference §2.1).
type sendInput struct {
	To               *string         `json:"to"`
	ConversationID   *string         `json:"conversationId"`
	Text             *string         `json:"text"`
	MediaURL         *string         `json:"mediaUrl"`
	MediaType        *string         `json:"mediaType"`
	Filename         *string         `json:"filename"`
	Caption          *string         `json:"caption"`
	ReplyToID        *string         `json:"replyToId"`
	Metadata         map[string]any  `json:"metadata"`
	TemplateName     *string         `json:"templateName"`
	TemplateLanguage *string         `json:"templateLanguage"`
	Language         *string         `json:"language"`
	LanguageCode     *string         `json:"languageCode"`
	Variables        json.RawMessage `json:"variables"` // a list, or an object by name
}

// templateView is a message template (reference §3.15).
type templateView struct {
	record
	Name              string                   `json:"name"`
	Language          string                   `json:"language"`
	Channel           string                   `json:"channel"`
	Status            string                   `json:"status"`
	Category          string                   `json:"category"`
	HeaderType        string                   `json:"headerType"`
	HeaderText        string                   `json:"headerText"`
	BodyText          string                   `json:"bodyText"`
	FooterText        string                   `json:"footerText"`
	Buttons           []channel.TemplateButton `json:"buttons"`
	Components        json.RawMessage          `json:"components"`
	TemplateID        orNull                   `json:"templateId"`
	VariablesCount    int                      `json:"variablesCount"`
	VariablePositions []int                    `json:"variablePositions"`
	VariableMapping   []conversation.Mapping   `json:"variableMapping"`
	OnEmptyVariable   string                   `json:"onEmptyVariable"`
	MappingStatus     string                   `json:"mappingStatus"`
	LastSyncedAt      stamp                    `json:"lastSyncedAt"`
	LastMappedAt      stamp                    `json:"lastMappingUpdatedAt"`
	Subject           orNull                   `json:"subject"`
	ContentType       orNull                   `json:"contentType"`
	Attachments       []map[string]any         `json:"attachments"`
	IsActive          bool                     `json:"isActive"`
}

// syncView is what a synchronisation of templates did (reference §2.3).
type syncView struct {
	Synced   int      `json:"synced"`
	Updated  int      `json:"updated"`
	Outdated []string `json:"outdated"`
	New      []string `json:"new"`
	Removed  []string `json:"removed"`
}
