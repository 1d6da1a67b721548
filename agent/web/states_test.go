package web

import (
	"fmt"
	"strings"
	"testing"
)

// Of many blocks a problem names some, and says how many more there are.
func TestManyBlocks(t *testing.T) {
	names := []string{"space"}
	for i := range 255 {
		names = append(names, fmt.Sprintf("198.18.%d.0/24", i))
	}
	err := oneOfBlocks("198.19.0.0/24", names)
	if err == nil || !strings.HasSuffix(err.Error(), "198.18.14.0/24 and 240 more") {
		t.Errorf("%v", err)
	}
	if err := oneOfBlocks("198.18.254.0/24", names); err != nil {
		t.Error(err)
	}
}
