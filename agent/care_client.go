package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"brownout/agent/web"
	"brownout/store"
)

// careClient takes care of a store: by the agent that has it, else itself.
type careClient struct {
	*client
	progress func(done, total int)
}

// dialCare finds who takes care of a store.
func (a *app) dialCare(ctx context.Context, path string, writes bool) (*careClient, error) {
	if web.Answers(path) {
		c, err := dial(ctx, path)
		return &careClient{client: c}, err
	}
	s, err := store.Open(path, store.Options{ReadOnly: !writes, Timeout: storeWait})
	if err != nil {
		return nil, explainStore(err)
	}
	return &careClient{client: &client{store: s}}, nil
}

// careFor does a task and reads its result, if that is wanted; the path is the store's.
func (a *app) careFor(ctx context.Context, f *configFlags, task *careTask, q url.Values, result any) (path string, err error) {
	cfg, err := a.loadToAsk(f)
	if err != nil {
		return "", err
	}
	care, err := a.dialCare(ctx, cfg.Store.Path, task.writes)
	if err != nil {
		return "", err
	}
	defer care.close()
	care.progress = a.careProgress(task.name)
	raw, err := care.do(ctx, task, q)
	if err == nil && result != nil {
		err = json.Unmarshal(raw, result)
	}
	return cfg.Store.Path, err
}

func (c *careClient) do(ctx context.Context, task *careTask, q url.Values) (json.RawMessage, error) {
	if !c.running() {
		result, err := task.run(c.store, q, c.progress)
		if err != nil {
			return nil, err
		}
		return json.Marshal(result)
	}
	body, err := c.post(ctx, task.name, q)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return c.await(body)
}

// await reads lines until one is the end.
func (c *careClient) await(body io.Reader) (json.RawMessage, error) {
	for lines := json.NewDecoder(body); ; {
		var line careLine
		switch err := lines.Decode(&line); {
		case err != nil:
			return nil, fmt.Errorf("read the agent's answer to the end: %w", err)
		case line.Full:
			return nil, hint(errors.New(line.Error), fullHint)
		case line.Error != "":
			return nil, errors.New(line.Error)
		case line.Result != nil:
			return line.Result, nil
		case c.progress != nil:
			c.progress(line.Done, line.Total)
		}
	}
}

func (c *careClient) post(ctx context.Context, task string, q url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://brownout"+carePrefix+task+"?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the agent: %w", err)
	}
	resp, err := c.live.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the agent: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, readProblem(resp.StatusCode, resp.Body)
	}
	return resp.Body, nil
}

// backup copies the store to w.
func (c *careClient) backup(ctx context.Context, w io.Writer) error {
	if !c.running() {
		return c.store.BackupTo(w)
	}
	body, err := c.post(ctx, "backup", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// careProgress tells a terminal how far a task got; nil elsewhere.
func (a *app) careProgress(did string) func(done, total int) {
	if !isTerminal(a.stderr) {
		return nil
	}
	percent := -1
	return func(done, total int) {
		if now := 100 * done / max(total, 1); now != percent {
			percent = now
			fmt.Fprintf(a.stderr, "\r\x1b[Kbrownout: %s %d%%", did, percent)
		}
		if done >= total {
			fmt.Fprint(a.stderr, "\r\x1b[K")
		}
	}
}
