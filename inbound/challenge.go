package inbound

import "kontrol/models"

// challengeWords are what filters write that want to know whether a person wrote, folded. They prove it when something else
// speaks for a machine.
var challengeWords = []string{
	"confirm you are human", "confirm that you are human", "verify you are human", "verify that you are human", "prove you are human", "prove that you are human", "you are a human", "you are a real person", "you are not a robot", "you're not a robot", "that you are a person",
	"requires confirmation", "requires verification", "request for confirmation", "awaiting confirmation", "please confirm your message", "please confirm this message", "confirm delivery of your message", "confirm your email to", "to confirm your message", "sender verification required", "sender confirmation",
	"your message is being held", "your message has been held", "message is being quarantined until", "one-time verification", "one time verification", "add you to my approved", "added to the approved sender", "approved senders list", "spamarrest", "spam arrest", "boxtrapper", "challenge-response", "challenge/response", "tmda", "mailblocks", "verify#", "will not be delivered until",
	"подтвердите, что вы человек", "подтвердите, что вы не робот", "что вы не робот", "что вы не спамер", "что письмо написал человек", "подтвердите отправку письма", "подтвердите отправку сообщения", "подтверждение отправителя", "требует подтверждения", "требуется подтверждение отправителя", "запрос подтверждения", "письмо задержано до подтверждения", "для доставки письма подтвердите", "чтобы письмо было доставлено",
}

// challenge recognises the question of a filter whether a person wrote our letter. Goods and orders are confirmed by
// people, too: so the words count only from a machine, as an answer to a letter.
func (r *reader) challenge() verdict {
	if !r.machineHint() && !r.autoHeader() || r.listedUnsubscribe() {
		return verdict{}
	}
	words, ok := containsAny(r.subject(), challengeWords)
	if !ok {
		words, ok = containsAny(foldText(cutUTF8(r.text, 4<<10)), challengeWords)
	}
	if !ok {
		return verdict{}
	}
	return verdict{models.ClassChallenge, models.Say("inbound.class.challenge", "Words", words)}
}

// listedUnsubscribe reports whether the letter offers to be unsubscribed from: confirmations of subscriptions do.
func (r *reader) listedUnsubscribe() bool {
	return r.h.has("list-unsubscribe") || r.h.has("list-id")
}
