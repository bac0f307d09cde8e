package image

import "bytes"

// AppFeatures are what an app was built to do to fuses when it starts, as far as
// its binary tells. A feature that is false may be there in a build without
// messages.
type AppFeatures struct {
	NeedsEncryption bool // stops at its start unless flash encryption is on
	FreezesCounter  bool // write-protects FLASH_CRYPT_CNT below its maximum, with secure boot on
	ClosesDownload  bool // burns UART_DOWNLOAD_DIS
}

// Messages that give an option of an app away. Source: ESP-IDF bootloader_support
// flash_encrypt.c; esp_system startup.c v4.4 to v5.2, efuse esp_efuse_startup.c
// since. The last is the text of an assertion in the older ones.
const (
	MsgNeedsEncryptionApp = "Flash encryption eFuse bit was not enabled in bootloader but CONFIG_SECURE_FLASH_ENC_ENABLED is on"
	MsgFreezesCounter     = "requires FLASH_CRYPT_CNT efuse to be write protected. Fixing now..."
	MsgClosesDownload     = "Failed to disable ROM download mode"
)

// FindAppFeatures reads the features out of an app image, which need not be whole.
func FindAppFeatures(bin []byte) AppFeatures {
	says := func(text string) bool { return bytes.Contains(bin, []byte(text)) }
	return AppFeatures{
		NeedsEncryption: says(MsgNeedsEncryptionApp),
		FreezesCounter:  says(MsgFreezesCounter),
		ClosesDownload:  says(MsgClosesDownload),
	}
}
