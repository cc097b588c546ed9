package platform

import (
	"encoding/json"

	"parley/internal/channel"
	"parley/internal/conversation"
	"parley/internal/id"
)

// conversationView is a conversation (reference §3.13).
type conversationView struct {
	record
	LeadID            ref    `json:"leadId"`
	Channel           string `json:"channel"`
	Phone             string `json:"phone"`
	UserName          string `json:"userName"`
	ProfilePicture    orNull `json:"profilePicture"`
	LastMessage       string `json:"lastMessage"`
	LastMessageID     ref    `json:"lastMessageId"`
	LastMessageType   orNull `json:"lastMessageType"`
	LastMessageStatus orNull `json:"lastMessageStatus"`
	LastMessageSender orNull `json:"lastMessageSender"` // admin or user
	LastMessageAt     stamp  `json:"lastMessageAt"`
	LastUserMessageAt stamp  `json:"lastUserMessageAt"`
	UnreadCount       int    `json:"unreadCount"`
	Status            string `json:"status"`
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
