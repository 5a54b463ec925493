package inbound

import (
	"strings"
	"testing"
	"time"
)

func TestHTMLText(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"<p>Добрый день</p><p>Счёт<br>нужен</p>", "Добрый день\n\nСчёт\nнужен"},
		{"<div>a</div><div>b</div><div><br></div><div>c</div>", "a\nb\n\nc"},
		{"<p class=MsoNormal>a</p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>b</p>", "a\n\nb"},
		{"<ul><li>насос<li>клапан<ol><li>x<li>y</ol></ul>", "- насос\n- клапан\n  1. x\n  2. y"},
		{"<table><tr><td>ИНН</td><td>7707083893</td></tr><tr><td><p>КПП</p></td><td><p>770701001</p></td></tr></table>", "ИНН\t7707083893\nКПП\t770701001"},
		{"<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\nd"},
		{"<a href='https://x.example/y'>каталог</a> здесь", "каталог здесь"},
		{"<head><title>t</title><style>p{}</style></head><script>s</script>x<!-- c --><template>y</template>", "x"},
		{"<div style='display:none'>скрыто</div><span style='mso-hide:all'>и это</span>видно<div hidden>нет</div>", "видно"},
		{"да<blockquote type=cite>вопрос<br>ещё<blockquote>старое</blockquote></blockquote>ещё", "да\n> вопрос\n> ещё\n>> старое\n\nещё"},
		{"<div class=moz-cite-prefix>01.11.2026 10:00, Иван пишет:</div><blockquote type=cite><p>a</p><p>b</p></blockquote><p>ответ</p>", "01.11.2026 10:00, Иван пишет:\n\n> a\n>\n> b\n\nответ"},
		{"ок<div class=gmail_quote><div class=gmail_attr>вс, 1 нояб. 2026 г. в 10:00, Иван &lt;a@b.example&gt;:<br></div><blockquote class=gmail_quote>a</blockquote></div>", "ок\nвс, 1 нояб. 2026 г. в 10:00, Иван <a@b.example>:\n> a"},
		{"<blockquote style='margin:0 0 0 40px;border:none;padding:0px'>отступ</blockquote>", "отступ"},
		{"ок<div class=yahoo_quoted>On Sunday, Ivan wrote:<br>текст</div>", "ок\n> On Sunday, Ivan wrote:\n> текст"},
		{"ок<hr><div id=divRplyFwdMsg><b>Som:</b> Ivan<br><b>Xyz:</b> 1</div><div>старое</div>", "ок\nSom: Ivan\nXyz: 1\n\n> старое"},
		{"ок<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>От:</b> Иван<br><b>Отправлено:</b> 1 ноября<br><b>Тема:</b> x</p></div><p class=MsoNormal>старое</p>", "ок\nОт: Иван\nОтправлено: 1 ноября\nТема: x\n\n> старое"},
		{"<div style='border-top:solid 1pt'>просто рамка</div><p>дальше</p>", "просто рамка\n\nдальше"},
		{"a</blockquote></div></td>b<", "ab<"},
		{"", ""},
	} {
		if got := htmlText(c[0]); got != c[1] {
			t.Errorf("%s\n got %q\nwant %q", c[0], got, c[1])
		}
	}
}

// What a hostile sender makes of HTML is read in time and within bounds.
func TestHTMLTextIsBounded(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"<div>", "<blockquote>x", "<ol><li>", "<table><tr><td>", "</div>", "<p>", "<span style='display:none'>", "<pre>\n", "<pre> \n\n\n", "&nbsp;", "<br>", "<a b=c ", "<div style=\"" + strings.Repeat("a", 100) + "\">", "<!--", "<div id=divRplyFwdMsg>"} {
		start := time.Now()
		out := htmlText(strings.Repeat(s, maxText/len(s)))
		if d := time.Since(start); d > 8*time.Second || len(out) > 3*maxText {
			t.Errorf("%q: %s, %d octets", s, d, len(out))
		}
	}
}
