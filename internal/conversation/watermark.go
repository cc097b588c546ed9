package conversation

import (
	"database/sql"
	"time"

	"parley/internal/channel"
	"parley/internal/id"
	"parley/internal/store"
)

// spreadMost bounds the messages that one watermark settles, from the newest on.
const spreadMost = 500

// spread turns receipts for everything that was sent until a moment into
// receipts of the messages: those of ours to that person which the provider had
// taken and which do not stand there yet. A message that was handed over behind
// the watermark is not touched; the next watermark will tell of it.
func (in *intake) spread(receipts []channel.Receipt) ([]channel.Receipt, error) {
	var out []channel.Receipt
	for _, r := range receipts {
		if r.UpTo.IsZero() {
			out = append(out, r)
			continue
		}
		address, _, err := in.address(r.To)
		if err != nil {
			return nil, err
		}
		c, found, err := conversationByAddress(in.tx, in.account.Kind, address)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		ids, err := standing(in.tx, c.ID, r.Status, r.UpTo)
		if err != nil {
			return nil, err
		}
		for _, m := range ids {
			out = append(out, channel.Receipt{Account: r.Account, Echo: m.String(), Status: r.Status, At: r.At, To: r.To})
		}
	}
	return out, nil
}

// standing returns the newest messages of ours in a conversation that stand below
// a status though they were handed over until a moment, behind the index
// message_by_conversation.
func standing(r store.Reader, conversation id.ID, status string, until time.Time) ([]id.ID, error) {
	below := "'sent'"
	if status == Read {
		below = "'sent','delivered'"
	}
	rows, err := r.Query(`SELECT m.id FROM (SELECT id, direction, status FROM message WHERE tenant_id=?1 AND conversation_id=?2 AND created_at<=?3
			ORDER BY created_at DESC, id DESC LIMIT ?4) m
		JOIN outbox o ON o.tenant_id=?1 AND o.id=m.id WHERE m.direction='outbound' AND m.status IN (`+below+`) AND o.tried_at<=?3 ORDER BY m.id`,
		conversation, until, spreadMost)
	return store.Collect(rows, err, func(rows *sql.Rows) (m id.ID, err error) { return m, rows.Scan(&m) })
}
