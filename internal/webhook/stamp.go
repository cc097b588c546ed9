package webhook

import (
	"bytes"
	"strconv"
	"time"
)

// stamps write into a body what differs between attempts and between the
// deliveries that share it. The body is a JSON object without these fields.
var stamps = map[string]func(c claimed, at time.Time) []byte{
	// The lane is the subscription (sales reference §4.10: subscriptionId, sent,
	// attempts).
	"notification": func(c claimed, at time.Time) []byte {
		var b bytes.Buffer
		b.Grow(len(c.Body) + 120)
		b.WriteString(`{"subscriptionId":"` + c.Endpoint + `","sent":"` + at.UTC().Format("2006-01-02T15:04:05.000Z") + `","attempts":` + strconv.Itoa(c.Attempt))
		if rest := c.Body[1:]; rest != "}" {
			b.WriteByte(',')
			b.WriteString(rest)
		} else {
			b.WriteByte('}')
		}
		return b.Bytes()
	},
}
