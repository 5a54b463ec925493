package oauth

import (
	"slices"
	"strings"
)

// Provider is what is publicly known of a mail provider with OAuth2.
type Provider struct {
	Name       string // as in the config: google, microsoft, yandex, mailru
	IMAP, SMTP string // the URLs of its servers
	AuthURL    string
	TokenURL   string
	DeviceURL  string // "" when it has no device flow that permits mail
	Scopes     []string
	// Params go with the request for permission, as key and value in turn.
	Params []string
	// Basic says that the application's secret goes into the Authorization header and not into the form.
	Basic bool
	// Exact says that the provider sends the browser only to an address that was registered to the letter: a port that is
	// chosen at random will not do.
	Exact bool
	// Localhost says that a port chosen at random is accepted for http://localhost only, and not for http://127.0.0.1.
	Localhost bool
}

// tenantPlace is where the tenant of Microsoft's URLs goes.
const tenantPlace = "{tenant}"

// Providers returns the providers that are known by name. The list belongs to the caller.
//
// Google's device flow does not permit mail, and Mail.ru has none. Mail.ru gives mail.imap only together with openid, and
// a refresh token only for offline_access and a question that is really asked. Microsoft's tokens are for one resource
// each, so its scopes name no other.
func Providers() []Provider {
	return []Provider{
		{
			Name: "google", IMAP: "imaps://imap.gmail.com", SMTP: "smtps://smtp.gmail.com",
			AuthURL: "https://accounts.google.com/o/oauth2/v2/auth", TokenURL: "https://oauth2.googleapis.com/token",
			Scopes: []string{"https://mail.google.com/"}, Params: []string{"access_type", "offline", "prompt", "consent"},
		},
		{
			Name: "microsoft", IMAP: "imaps://outlook.office365.com", SMTP: "smtp://smtp.office365.com",
			AuthURL:   "https://login.microsoftonline.com/" + tenantPlace + "/oauth2/v2.0/authorize",
			TokenURL:  "https://login.microsoftonline.com/" + tenantPlace + "/oauth2/v2.0/token",
			DeviceURL: "https://login.microsoftonline.com/" + tenantPlace + "/oauth2/v2.0/devicecode",
			Scopes: []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send",
				"offline_access"},
			Localhost: true,
		},
		{
			Name: "yandex", IMAP: "imaps://imap.yandex.ru", SMTP: "smtps://smtp.yandex.ru",
			AuthURL: "https://oauth.yandex.ru/authorize", TokenURL: "https://oauth.yandex.ru/token",
			DeviceURL: "https://oauth.yandex.ru/device/code",
			Scopes:    []string{"mail:imap_full", "mail:smtp"}, Params: []string{"force_confirm", "yes"}, Exact: true,
		},
		{
			Name: "mailru", IMAP: "imaps://imap.mail.ru", SMTP: "smtps://smtp.mail.ru",
			AuthURL: "https://oauth.mail.ru/login", TokenURL: "https://oauth.mail.ru/token",
			Scopes: []string{"openid", "mail.imap", "offline_access"}, Params: []string{"prompt", "consent"}, Basic: true, Exact: true,
		},
	}
}

// Lookup returns the provider of a name, and whether there is one.
func Lookup(name string) (Provider, bool) {
	list := Providers()
	i := slices.IndexFunc(list, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return list[i], true
}

// Names returns the names of the providers that are known.
func Names() []string {
	var list []string
	for _, p := range Providers() {
		list = append(list, p.Name)
	}
	return list
}

// ForTenant puts the tenant into the URLs of a provider that has tenants; "" stands for any firm's or person's account.
func (p Provider) ForTenant(tenant string) Provider {
	if tenant == "" {
		tenant = "common"
	}
	for _, u := range []*string{&p.AuthURL, &p.TokenURL, &p.DeviceURL} {
		*u = strings.ReplaceAll(*u, tenantPlace, tenant)
	}
	return p
}

// HasTenants reports whether the provider's URLs depend on the customer's firm.
func (p Provider) HasTenants() bool { return strings.Contains(p.TokenURL, tenantPlace) }
