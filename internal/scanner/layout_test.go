package scanner_test

import (
	"testing"

	"provision/internal/scanner"
)

func TestCheckLayout(t *testing.T) {
	for _, c := range []struct {
		name, read string
		want       scanner.Layout
	}{
		{"right", scanner.LayoutTest, scanner.LayoutOK},
		{"german terminal, american scanner", "LAZOUTßZy-zYß0123456789", scanner.YZSwapped},
		{"american terminal, german scanner", "LAZOUT/Zy&zY/0123456789", scanner.YZSwapped},
		{"only the letters swapped", "LAZOUT-Zy/zY-0123456789", scanner.YZSwapped},
		{"caps lock", "layout-yZ/Yz-0123456789", scanner.CapsLock},
		{"caps lock that shifts digits", `layout_yZ?Yz_=!"§$%&/()`, scanner.CapsLock},
		{"caps lock on a german terminal", "lazoutẞzY-Zyẞ0123456789", scanner.CapsLock},
		{"dash", "LAYOUT_Yz/yZ_0123456789", scanner.Punctuation},
		{"slash", "LAYOUT-Yz&yZ-0123456789", scanner.Punctuation},
		{"french terminal", "LQYOUT)Yz!yZ)à&é\"'(-è_ç", scanner.OtherLayout},
		{"all capitals", "LAYOUT-YZ/YZ-0123456789", scanner.OtherLayout},
		{"digits", "LAYOUT-Yz/yZ-)!@#$%^&*(", scanner.OtherLayout},
		{"one letter swapped", "LAZOUT-Yz/yZ-0123456789", scanner.OtherLayout},
		{"a character lost", "LAYOUT-Yz/yZ-012345678", scanner.OtherLayout},
		{"another barcode", "SN-1234", scanner.OtherLayout},
		{"nothing", "", scanner.OtherLayout},
	} {
		if got := scanner.CheckLayout(c.read); got != c.want {
			t.Errorf("%s: %q is %s, want %s", c.name, c.read, got, c.want)
		}
		other := c.name == "a character lost" || c.name == "another barcode" || c.name == "nothing"
		if got := scanner.IsLayoutTest(c.read); got == other {
			t.Errorf("%s: %q is the layout's barcode: %t", c.name, c.read, got)
		}
	}
}
