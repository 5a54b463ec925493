package deals_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kontrol/deals"
	"kontrol/models"
)

func TestFreeMail(t *testing.T) {
	t.Parallel()
	for _, d := range strings.Fields(`mail.ru inbox.ru list.ru bk.ru internet.ru xmail.ru vk.com yandex.ru yandex.com yandex.com.tr yandex.by
		Yandex.KZ ya.ru narod.ru rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru gmail.com GMail.com. googlemail.com outlook.com
		outlook.fr hotmail.com hotmail.co.uk live.com live.ru icloud.com me.com mac.com proton.me protonmail.com yahoo.com yahoo.co.jp
		gmx.de gmx.net aol.com ukr.net tut.by mail.kz onmicrosoft.com firma.onmicrosoft.com vasya.narod.ru`) {
		if !deals.FreeMail(d) {
			t.Errorf("%s is free mail", d)
		}
	}
	for _, d := range strings.Fields(`romashka.ru mymail.ru sberbank.ru yandex-team.ru notyandex.ru gmail.romashka.ru ru com.ru our.com
		yandex yahoo.romashka.ru outlook.romashka.ru gov.spb.ru firma.net.ua # *.ru * #`) {
		if deals.FreeMail(d) {
			t.Errorf("%s is not free mail", d)
		}
	}
	if deals.FreeMail("") {
		t.Error("nothing is free mail")
	}
}

// TestFreeMailListIsSorted guards the search, which reads the file as it lies.
func TestFreeMailListIsSorted(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("freemail.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "#") {
			names = append(names, line)
		} else if len(names) > 0 {
			t.Errorf("comment after the head: %s", line)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("the list is not sorted or repeats itself")
	}
	for _, n := range names {
		if d, ok := deals.NormalDomain(strings.Replace(n, ".*", ".com", 1)); !ok || d != strings.Replace(n, ".*", ".com", 1) {
			t.Errorf("%q is not a normalised domain", n)
		} else if !deals.FreeMail(d) {
			t.Errorf("%q is not found", n)
		}
	}
}

func TestFreeMailCorpus(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join("..", "..", "shared", "corpora", "domains", "free-email-domains.txt"))
	if err != nil {
		t.Skip("no corpus beside the checkout")
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if d := s.Text(); !deals.FreeMail(d) {
			t.Errorf("%q is missing", d)
		}
	}
}

func TestNormalDomain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Romashka.RU": "romashka.ru", " romashka.ru. ": "romashka.ru", "Ромашка.РФ": "xn--80aa3agjl3d.xn--p1ai",
		"XN--80AA3AGJL3D.xn--p1ai": "xn--80aa3agjl3d.xn--p1ai", "почта。ромашка.рф": "xn--80a1acny.xn--80aa3agjl3d.xn--p1ai",
		"a_b.romashka.ru": "a_b.romashka.ru",
		"":                "", "romashka": "", "..": "", "0..": "", "a.ru..": "", "a..ru": "", "192.168.0.1": "", "[192.168.0.1]": "", "ro mashka.ru": "",
		"romashka.ru/x": "", "a@b.ru": "", strings.Repeat("a", 64) + ".ru": "", "::1": "", ".ru": "",
	} {
		got, ok := deals.NormalDomain(in)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, ok, want)
		}
	}
}

func TestNormalEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" <Ivan@Romashka.RU> ": "ivan@romashka.ru", "иван@ромашка.рф": "иван@xn--80aa3agjl3d.xn--p1ai", "a+b@c.ru": "a+b@c.ru",
		"": "", "@c.ru": "", "a@": "", "a@b": "", "a b@c.ru": "", "a@b@c.ru": "", "a,b@c.ru": "", "ivan": "",
	} {
		got, ok := deals.NormalEmail(in)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, ok, want)
		}
	}
}

func TestCorporateDomain(t *testing.T) {
	t.Parallel()
	own := func(d string) bool { return d == "our.ru" }
	for in, want := range map[string]string{
		"Romashka.ru": "", "mail.romashka.ru": "", "ромашка.рф": "", "shop.com.ru": "",
		"mail.ru": "deals.domain.free", "corp.gmail.com": "deals.domain.free", "com.ru": "deals.domain.suffix", "co.uk": "deals.domain.suffix",
		"our.ru": "deals.domain.own", "mail.our.ru": "deals.domain.own", "ru": "deals.domain.bad", "": "deals.domain.bad",
	} {
		got, err := deals.CorporateDomain(in, own)
		p, told := models.PhraseOf(err)
		if p.ID != want || told != (want != "") || (got == "") != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestSameParty(t *testing.T) {
	t.Parallel()
	same := deals.SameParty(func(d string) bool { return d == "our.ru" })
	for pair, want := range map[[2]string]bool{
		{"a@romashka.ru", "B@Romashka.ru"}: true, {"a@romashka.ru", "b@mail.romashka.ru"}: true, {"a@romashka.ru", "b@lutik.ru"}: false,
		{"a@mail.ru", "b@mail.ru"}: false, {"a@mail.ru", "A@mail.ru"}: true, {"a+x@mail.ru", "a@mail.ru"}: true,
		{"a@our.ru", "b@our.ru"}: false, {"a@x.com.ru", "b@y.com.ru"}: false, {"", ""}: false, {"a", "a"}: false,
	} {
		if got := same(pair[0], pair[1]); got != want {
			t.Errorf("%v: got %v", pair, got)
		}
		if same(pair[0], pair[1]) != same(pair[1], pair[0]) {
			t.Errorf("%v: not symmetric", pair)
		}
	}
	if !deals.SameParty(nil)("a@our.ru", "b@our.ru") {
		t.Error("without own domains every corporate domain counts")
	}
}
