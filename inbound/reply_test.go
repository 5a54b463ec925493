package inbound

import "testing"

func TestIsReply(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]bool{
		"Re: Заказ": true, "RE[2]: Заказ": true, "Отв: Заказ": true, "[EXT] Re: Заказ": true, "Fwd: x": true, "НА: x": true,
		"Заказ": false, "Счёт: 12": false, "": false, "[С-12]": false, "Реклама: скидки": false, "re": false,
	} {
		if got := IsReply(subject); got != want {
			t.Errorf("%q: %v", subject, got)
		}
	}
}
