package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// authorize is the page at which a person agrees; here he does so at once.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != s.opts.ClientID || q.Get("response_type") != "code" ||
		q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	user := s.user
	if user == "" {
		user = q.Get("login_hint")
	}
	answer := url.Values{"state": {q.Get("state")}}
	if s.deny {
		answer.Set("error", "access_denied")
	} else {
		code := "c-" + rand.Text()
		s.codes[code] = permission{user, q.Get("code_challenge"), q.Get("redirect_uri"), q.Get("scope")}
		answer.Set("code", code)
	}
	s.mu.Unlock()
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// device starts the device flow. See RFC 8628 section 3.1.
func (s *Server) device(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("client_id") != s.opts.ClientID {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	code, user := "d-"+rand.Text(), rand.Text()[:4]+"-"+rand.Text()[:4]
	s.mu.Lock()
	s.devices[code] = &device{userCode: user, expires: time.Now().Add(s.opts.CodeLifetime)}
	if s.opts.Approve {
		s.devices[code].user, s.devices[code].denied = s.user, s.deny
	}
	s.mu.Unlock()
	write(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": user, "verification_url": s.URL + "/code", // as Yandex spells it
		"expires_in": int(s.opts.CodeLifetime.Seconds()), "interval": s.opts.Interval,
	})
}

// token gives tokens for whatever is presented.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.counts.Requests++
	var fail *failure
	if len(s.failures) > 0 {
		fail = &s.failures[0]
		s.failures = s.failures[1:]
	}
	s.mu.Unlock()
	if fail != nil {
		if fail.retryAfter != "" {
			w.Header().Set("Retry-After", fail.retryAfter)
		}
		s.refused(w, fail.status, fail.code)
		return
	}
	if !s.client(r) {
		s.refused(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		s.byCode(w, r)
	case "urn:ietf:params:oauth:grant-type:device_code":
		s.byDevice(w, r)
	case "refresh_token":
		s.byRefresh(w, r.PostFormValue("refresh_token"))
	default:
		s.refused(w, http.StatusBadRequest, "unsupported_grant_type")
	}
}

// client reports whether the application has shown who it is.
func (s *Server) client(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if basic != (s.opts.Basic && s.opts.ClientSecret != "") {
		return false
	}
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	return id == s.opts.ClientID && secret == s.opts.ClientSecret
}

func (s *Server) byCode(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p, ok := s.codes[r.PostFormValue("code")]
	delete(s.codes, r.PostFormValue("code"))
	s.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || p.redirect != r.PostFormValue("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge {
		s.refused(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	s.mu.Lock()
	s.counts.Codes++
	refresh := s.newFamily(p.user)
	s.mu.Unlock()
	s.grant(w, p.user, refresh)
}

func (s *Server) byDevice(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	d := s.devices[r.PostFormValue("device_code")]
	code, user := "", ""
	now := time.Now()
	switch {
	case d == nil:
		code = "invalid_grant"
	case now.After(d.expires):
		code = "expired_token"
	case d.slow > 0:
		d.slow--
		code = "slow_down"
	case d.denied:
		code = "access_denied"
	case d.user == "":
		code = "authorization_pending"
	default:
		user = d.user
		delete(s.devices, r.PostFormValue("device_code"))
		s.counts.Devices++
	}
	refresh := ""
	if code == "" {
		refresh = s.newFamily(user)
	}
	s.mu.Unlock()
	if code != "" {
		s.refused(w, http.StatusBadRequest, code)
		return
	}
	s.grant(w, user, refresh)
}

// byRefresh rotates. A token that was rotated before and comes again may have been stolen: the family is withdrawn. See
// RFC 9700 section 4.14.2.
func (s *Server) byRefresh(w http.ResponseWriter, token string) {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		hook("asked")
	}
	s.mu.Lock()
	f := s.families[token]
	switch {
	case f == nil || f.withdrawn:
		s.mu.Unlock()
		s.refused(w, http.StatusBadRequest, "invalid_grant")
		return
	case token != f.current && time.Since(f.rotated[token]) > s.opts.Grace:
		f.withdrawn = true
		s.counts.Reuses++
		s.mu.Unlock()
		s.refused(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	s.counts.Refreshes++
	if !s.opts.Keep && !s.opts.Silent {
		f.rotated[token] = time.Now()
		f.current = "r-" + rand.Text()
		s.families[f.current] = f
	}
	user, refresh := f.user, f.current
	s.mu.Unlock()
	if hook != nil {
		hook("granted")
	}
	if s.opts.Silent {
		refresh = ""
	}
	s.grant(w, user, refresh)
}

func (s *Server) grant(w http.ResponseWriter, user, refresh string) {
	access := s.JWT(user, s.opts.Lifetime)
	s.mu.Lock()
	s.last = access
	s.mu.Unlock()
	v := map[string]any{"access_token": access, "token_type": "Bearer"}
	if !s.opts.NoExpiry {
		v["expires_in"] = int(s.opts.Lifetime.Seconds())
	}
	if refresh != "" && !s.opts.NoRefresh {
		v["refresh_token"] = refresh
	}
	write(w, http.StatusOK, v)
}

// Last returns the access token given last.
func (s *Server) Last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *Server) refused(w http.ResponseWriter, status int, code string) {
	s.mu.Lock()
	s.counts.Refused++
	s.mu.Unlock()
	refuse(w, status, code)
}

func refuse(w http.ResponseWriter, status int, code string) {
	if code == "" {
		http.Error(w, "<html>bad gateway</html>", status)
		return
	}
	write(w, status, map[string]any{"error": code, "error_description": strings.ReplaceAll(code, "_", " ")})
}

func write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
