//go:build !cgo

package dlauth

import (
	"errors"
	"strings"
	"testing"
)

func TestWithoutCgoItSaysWhatIsMissing(t *testing.T) {
	_, err := New(nil)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "CGO_ENABLED=1") || !strings.Contains(err.Error(), "dl_auth.pc") {
		t.Error(err)
	}
}
