package names_test

import (
	"testing"

	"kontrol/names"
)

func TestValidINN(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"7707083893", "7736050003", "7728168971", "500100732259", "7830002293", "0274062111"} {
		if !names.ValidINN(s) {
			t.Errorf("%s is valid", s)
		}
	}
	for _, s := range []string{"", "7707083894", "770708389", "77070838931", "500100732258", "500100732269", "0000000000", "000000000000", "770708389a", " 7707083893", "７７07083893"} {
		if names.ValidINN(s) {
			t.Errorf("%q is not valid", s)
		}
	}
	for _, inn := range []string{"7707083893", "500100732259"} { // a wrong check digit is always found
		for d := byte('0'); d <= '9'; d++ {
			if got := inn[:len(inn)-1] + string(d); names.ValidINN(got) != (got == inn) {
				t.Errorf("%s", got)
			}
		}
	}
}

func TestNormalPhone(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"8 (912) 345-67-89": "+79123456789", "+7 912 345 67 89": "+79123456789", "79123456789": "+79123456789", "9123456789": "+79123456789",
		"8-495-123-45-67": "+74951234567", "(495) 123-45-67": "+74951234567", "8 800 555-35-35": "+78005553535",
		"8 495 123-45-67 доб. 12": "+74951234567", "+7(495)123-45-67, доб 1234": "+74951234567", "84951234567 ext.5": "+74951234567", "84951234567#5": "+74951234567",
		"тел. 8 912 345 67 89": "+79123456789", "+375 29 123-45-67": "+375291234567", "8 10 375 29 123 45 67": "+375291234567", "00 49 30 123456": "+4930123456",
		"+7\u00a0912\u2011345\u201167\u201189": "+79123456789", "8.912.345.67.89": "+79123456789", "+7 701 123 45 67": "+77011234567",
		"": "", "123-45-67": "", "+7 912 345 67 8": "", "8 912 345 67 890": "", "доб. 12": "", "почта": "", "+": "", "0123456789": "",
		"8 912 345-67-89, 8 912 345-67-90": "", "7,70123E+09": "", "+7 012 345 67 89": "", "+1234567": "", "+1234567890123456": "",
	} {
		got, ok := names.NormalPhone(in)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, ok, want)
		}
		if again, _ := names.NormalPhone(got); ok && again != got {
			t.Errorf("%q: %q is normalised to %q", in, got, again)
		}
	}
}

func TestValidKPP(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"770701001": true, "7707AB001": true, "77070100": false, "7707ab001": false, "770701001 ": false, "": false} {
		if names.ValidKPP(s) != want {
			t.Errorf("%q: got %v", s, !want)
		}
	}
}
