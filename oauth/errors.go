package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"kontrol/models"
)

// ProviderError is a provider's refusal. Its text holds no secret of ours. See RFC 6749 section 5.2.
type ProviderError struct {
	Status int    // of HTTP
	Code   string // such as invalid_grant; "" when the answer could not be understood
	Words  string // the provider's description, made short and clean

	retryAfter time.Duration
}

// Error gives code and words.
func (e *ProviderError) Error() string {
	text := "oauth2 provider answers " + strconv.Itoa(e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Words != "" {
		text += ": " + e.Words
	}
	return text
}

// wordsCap is how much of a provider's words is kept, in octets.
const wordsCap = 200

// explain makes an error of x/oauth2 safe to show: its own text may hold the whole answer.
func explain(err error, secrets ...string) error {
	var r *oauth2.RetrieveError
	switch {
	case errors.As(err, &r):
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("ask the oauth2 provider: %w", context.Canceled)
	default:
		return errors.New(clean(err.Error(), secrets))
	}
	e := &ProviderError{Code: clean(r.ErrorCode, secrets), Words: clean(r.ErrorDescription, secrets)}
	if r.Response != nil {
		e.Status = r.Response.StatusCode
		if n, err := strconv.Atoi(r.Response.Header.Get("Retry-After")); err == nil && n > 0 {
			e.retryAfter = min(time.Duration(n)*time.Second, time.Hour)
		}
	}
	return e
}

// clean takes secrets and control characters out of a text and makes it short.
func clean(s string, secrets []string) string {
	for _, x := range secrets {
		if x != "" {
			s = strings.ReplaceAll(s, x, "***")
		}
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(s) > wordsCap {
		s = strings.ToValidUTF8(s[:wordsCap], "") + "…"
	}
	return s
}

// goneWords are what providers with codes of their own say of a refresh token that is no longer good.
var goneWords = regexp.MustCompile(`(?i)token.{0,20}(not found|expired|revoked|invalid)|(invalid|expired|revoked).{0,20}token`)

// gone reports whether the provider said for good that the permission has ended.
func (e *ProviderError) gone() bool {
	if e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests {
		return false
	}
	switch e.Code {
	case "invalid_grant", "interaction_required", "consent_required", "login_required":
		return true
	case "", "invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_grant_type",
		"temporarily_unavailable", "server_error", "slow_down":
		return false
	}
	return goneWords.MatchString(e.Code + " " + e.Words)
}

// ours reports whether the application's registration or the config is at fault: trying again does not help.
func (e *ProviderError) ours() bool {
	switch e.Code {
	case "invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type", "invalid_request":
		return e.Status < http.StatusInternalServerError
	}
	return false
}

// asTold says what went wrong with a request to a provider, for people. What it does not know is temporary.
func asTold(address string, provider models.Phrase, err error) error {
	if _, ok := models.PhraseOf(err); ok {
		return err
	}
	var p *ProviderError
	wrapped := fmt.Errorf("oauth2 of %s: %w", address, err)
	switch {
	case errors.As(err, &p) && p.gone():
		return told("login_again", address, wrapped)
	case errors.As(err, &p) && p.ours():
		return told("app_refused", address, wrapped, "Provider", provider, "Words", p.Error())
	case errors.Is(err, context.Canceled):
		return models.Temporary(wrapped)
	case errors.As(err, &p):
		return told("provider_busy", address, models.Temporary(wrapped), "Provider", provider, "Words", p.Error())
	}
	return told("provider_down", address, models.Temporary(wrapped), "Provider", provider, "Words", err.Error())
}
