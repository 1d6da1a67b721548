package agent

import "go.yaml.in/yaml/v3"

// authenticated reports whether http.web_config_file now asks for a password or for a client's certificate.
func (c *Config) authenticated() bool {
	if c.HTTP.WebConfigFile == "" {
		return false
	}
	data, err := readWhole(c.HTTP.WebConfigFile)
	if err != nil {
		return false
	}
	var f struct {
		Users map[string]string `yaml:"basic_auth_users"`
		TLS   struct {
			ClientAuth string `yaml:"client_auth_type"`
		} `yaml:"tls_server_config"`
	}
	return yaml.Unmarshal(data, &f) == nil && (len(f.Users) > 0 || f.TLS.ClientAuth == "RequireAndVerifyClientCert")
}
