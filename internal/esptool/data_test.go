package esptool

import "math/rand/v2"

// testData is n bytes that look random and are the same each time.
func testData(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	r.Read(b)
	return b
}
