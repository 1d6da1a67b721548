package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// scrubbed is an error without what may be secret of a URL: errors of HTTP clients and of services repeat it.
func scrubbed(err error, secret string) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	for _, part := range secretParts(secret) {
		text = strings.ReplaceAll(text, part, "(hidden)")
	}
	var refused *RefusedError
	if errors.As(err, &refused) {
		return &RefusedError{errors.New(text)}
	}
	return errors.New(text)
}

// secretParts is what of a URL must not be told, the longest first: all of it, and whatever in it could be a token.
func secretParts(secret string) []string {
	parts := []string{secret}
	u, err := url.Parse(secret)
	if err != nil {
		return parts
	}
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.String(), password, u.User.Username())
	}
	parts = append(parts, u.RequestURI(), u.RawQuery, u.Path)
	parts = append(parts, strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		parts = append(parts, u.Host) // of a chat's URL it is often a token
	}
	var long []string
	for _, p := range parts {
		if len(p) >= 6 {
			long = append(long, p, url.QueryEscape(p), url.PathEscape(p))
		}
	}
	return long
}

// RefusedError says that a receiver calls a message malformed: to send it again will not help.
type RefusedError struct {
	err error
}

func (e *RefusedError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.err }

// statusError is what an HTTP status means for a message; nil: it was taken.
func statusError(status int) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == 400 || status == 413 || status == 422:
		return &RefusedError{fmt.Errorf("the receiver answers %d", status)}
	}
	return fmt.Errorf("the receiver answers %d", status)
}
