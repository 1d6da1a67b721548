package notify

import (
	"context"
	"errors"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// service sends to a chat, a phone or a mailbox.
type service struct {
	url string
}

// Shoutrrr sends notices as text to one of shoutrrr's services: slack://, telegram://, discord://, ntfy://, matrix://,
// smtp:// and more. A wrong URL is an error at once, but for Matrix's, which shoutrrr tells only when it has logged in.
func Shoutrrr(url string) (Sender, error) {
	if !strings.HasPrefix(url, "matrix:") {
		if _, err := shoutrrr.CreateSender(url); err != nil {
			return nil, scrubbed(err, url)
		}
	}
	return &service{url}, nil
}

// Send gives up waiting when ctx ends; shoutrrr itself cannot be called off, and ends by its own timeout.
func (s *service) Send(ctx context.Context, n *Notice) error {
	done := make(chan error, 1)
	go func() { done <- s.send(n) }()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-done:
		return err
	}
}

func (s *service) send(n *Notice) error {
	sender, err := shoutrrr.CreateSender(s.url)
	if err == nil {
		params := types.Params{}
		params.SetTitle(n.Title)
		err = errors.Join(sender.Send(n.Text, &params)...)
	}
	if err != nil {
		return scrubbed(err, s.url)
	}
	return nil
}
