package inbound

import "time"

// Attachment is a part of a letter that is a file, or is shown as one.
type Attachment struct {
	Name   string // decoded, without directories; "" when it has none
	Type   string // media type in lower case, as declared, such as "application/pdf"; see RFC 2046
	Size   int64  // octets after the transfer encoding is undone
	SHA256 string // hex, of those octets
}

// Bounce is what a report about delivery says, in fields for machines (RFC 3464) or in words.
type Bounce struct {
	Recipients        []BounceRecipient
	OriginalMessageID string // of the letter that it is about, without angle brackets; "" when it does not say
}

// BounceRecipient is what became of a letter on the way to one address.
type BounceRecipient struct {
	Address   string // normalised
	Action    string // failed, delayed, delivered, relayed or expanded, see RFC 3464 section 2.3.3
	Status    string // enhanced status code such as "5.1.1", see RFC 3463; "" when there is none
	Reply     string // SMTP reply code such as "550", see RFC 5321 section 4.2; "" when there is none
	Permanent bool   // the letter was refused for good: a status of class 5, see RFC 3463 section 2, or the server gave up
	Reason    string // group of reasons such as "userunknown", "mailboxfull" or "spamdetected"; "undefined" when a failure names none
}

// DeadAddress reports whether no letter at all will reach the address: it, or its domain, does not exist or takes no
// letters. A permanent failure for another reason (a full mailbox, a letter too big, a sender not wanted) says nothing of
// the kind.
func (rec BounceRecipient) DeadAddress() bool {
	if !rec.Permanent {
		return false
	}
	switch rec.Reason {
	case "userunknown", "hostunknown", "hasmoved", "notaccept":
		return true
	}
	return false
}

// AutoReply is what an automatic answer says.
type AutoReply struct {
	ReturnsOn *time.Time // the day on which the person is back, midnight UTC standing for the date; nil when it does not say
}

// Named is what the new words of a letter and its signature name. Every list is in the order of the letter, without repetitions.
type Named struct {
	INN      []string // with right check digits
	KPP      []string
	Phones   []string // E.164
	Sites    []string // hosts in A-labels, without "www."
	Invoices []string // numbers of invoices, as written
	Offers   []string // numbers of commercial offers, as written
	Deals    []string // numbers of deals, without brackets and signs: "123"
	Sums     []Sum
	Dates    []Date
	// Paid holds when the new words say that money has been sent, Unsubscribe when they ask for no more letters.
	Paid, Unsubscribe bool
	Promises          []Promise
}

// Sum is a sum of money that is named.
type Sum struct {
	Minor    int64  // kopecks, cents
	Currency string // ISO 4217; "RUB" when none is named
	Text     string // the words
}

// Date is a calendar date that is named.
type Date struct {
	Day  time.Time // midnight UTC standing for the date
	Text string    // the words
}

// Promise is something that the writer undertakes to do by a day: "оплатим в пятницу", "вышлю завтра".
type Promise struct {
	Kind string    // "pay", "send", "call" or "answer"
	By   time.Time // the day, midnight UTC standing for the date
	Text string    // the words
}
