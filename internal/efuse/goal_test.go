package efuse

import "testing"

// testKey makes a key block from a pattern.
func testKey(t testing.TB, seed byte) KeyBlock {
	t.Helper()
	key := make([]byte, 32)
	for i := range key {
		key[i] = seed + byte(i)*7
	}
	words, err := KeyWords(key, SchemeNone)
	if err != nil {
		t.Fatal(err)
	}
	return NewKeyBlock(words)
}

// releaseGoal is Secure Boot V1 with flash encryption, everything locked.
func releaseGoal(t testing.TB) Goal {
	return Goal{
		Revision: Revision{3, 0}, SecureBootV1: true, FlashEncryption: true,
		CryptCount: CryptCountRelease, CryptConfig: CryptConfig,
		Block1: testKey(t, 0x11), Block2: testKey(t, 0x22),
		Locks:           []string{"JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE", "DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE"},
		Freeze:          []string{"DIS_CACHE", "FLASH_CRYPT_CONFIG", "ABS_DONE_0", "JTAG_DISABLE", "CONSOLE_DEBUG_DISABLE"},
		UARTDownloadDis: true,
	}
}
