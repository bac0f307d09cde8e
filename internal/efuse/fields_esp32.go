package efuse

// Reasons why a station never burns a field.
const (
	neverFactory = "the chip maker sets it"
	neverPins    = "a wrong value cuts the chip off from its flash"
	neverVoltage = "a wrong value powers the flash with the wrong voltage"
	neverUser    = "it belongs to the product, not to securing it"
)

// esp32 is the fuse map of the classic ESP32. Source: ESP32 TRM "eFuse
// Controller" and ESP-IDF components/efuse/esp32/esp_efuse_table.csv at v5.1; the
// bits above 27 of word 0 and those not listed are reserved. BLOCK1, BLOCK2 and
// BLOCK3 are listed whole, after which come the parts of BLOCK3.
var esp32 = []Field{
	{Name: "WR_DIS", Block: 0, Bit: 0, Len: 16, WrDis: 1, RdDis: none, Final: true, Meaning: "which groups of fuses can no longer change"},
	{Name: "RD_DIS", Block: 0, Bit: 16, Len: 4, WrDis: 0, RdDis: none, Final: true, Meaning: "which blocks software can no longer read"},
	{Name: "FLASH_CRYPT_CNT", Block: 0, Bit: 20, Len: 7, WrDis: 2, RdDis: none, Final: true, Meaning: "flash encryption is on when an odd number of bits is set",
		Irrevocably: "the chip runs only what is encrypted with its own key"},
	{Name: "UART_DOWNLOAD_DIS", Block: 0, Bit: 27, Len: 1, WrDis: 2, RdDis: none, Final: true, Meaning: "serial download mode is closed (chip revision v3.0 and later)",
		Irrevocably: "nobody can reach the chip over its serial port again, neither can we"},

	{Name: "MAC", Block: 0, Bit: 32, Len: 48, WrDis: 3, RdDis: none, Meaning: "factory MAC address", Never: neverFactory},
	{Name: "MAC_CRC", Block: 0, Bit: 80, Len: 8, WrDis: 3, RdDis: none, Meaning: "CRC8 of the factory MAC", Never: neverFactory},

	{Name: "DISABLE_APP_CPU", Block: 0, Bit: 96, Len: 1, WrDis: 3, RdDis: none, Meaning: "second core off", Never: neverFactory},
	{Name: "DISABLE_BT", Block: 0, Bit: 97, Len: 1, WrDis: 3, RdDis: none, Meaning: "Bluetooth off", Never: neverFactory},
	{Name: "CHIP_PACKAGE_4BIT", Block: 0, Bit: 98, Len: 1, WrDis: none, RdDis: none, Meaning: "package, bit 3", Never: neverFactory},
	{Name: "DIS_CACHE", Block: 0, Bit: 99, Len: 1, WrDis: 3, RdDis: none, Meaning: "flash cache off: the chip cannot run", Never: "the chip could never run from flash again"},
	{Name: "SPI_PAD_CONFIG_HD", Block: 0, Bit: 100, Len: 5, WrDis: none, RdDis: none, Meaning: "flash pin HD", Never: neverPins},
	{Name: "CHIP_PACKAGE", Block: 0, Bit: 105, Len: 3, WrDis: none, RdDis: none, Meaning: "package, bits 2 to 0", Never: neverFactory},
	{Name: "CHIP_CPU_FREQ_LOW", Block: 0, Bit: 108, Len: 1, WrDis: none, RdDis: none, Meaning: "with CHIP_CPU_FREQ_RATED: a 160 MHz part", Never: neverFactory},
	{Name: "CHIP_CPU_FREQ_RATED", Block: 0, Bit: 109, Len: 1, WrDis: none, RdDis: none, Meaning: "CPU frequency is rated", Never: neverFactory},
	{Name: "BLK3_PART_RESERVE", Block: 0, Bit: 110, Len: 1, WrDis: 10, RdDis: 3, Meaning: "BLOCK3 holds ADC calibration", Never: neverFactory},
	{Name: "CHIP_VER_REV1", Block: 0, Bit: 111, Len: 1, WrDis: none, RdDis: none, Meaning: "major revision, bit 0", Never: neverFactory},

	{Name: "CLK8M_FREQ", Block: 0, Bit: 128, Len: 8, WrDis: 4, RdDis: none, Meaning: "factory calibration of the 8 MHz clock", Never: neverFactory},
	{Name: "ADC_VREF", Block: 0, Bit: 136, Len: 5, WrDis: 4, RdDis: none, Meaning: "ADC reference, sign and steps of 7 mV from 1100 mV", Never: neverFactory},
	{Name: "XPD_SDIO_REG", Block: 0, Bit: 142, Len: 1, WrDis: 5, RdDis: none, Meaning: "flash regulator on", Never: neverVoltage},
	{Name: "XPD_SDIO_TIEH", Block: 0, Bit: 143, Len: 1, WrDis: 5, RdDis: none, Meaning: "flash regulator gives 3.3 V", Never: neverVoltage},
	{Name: "XPD_SDIO_FORCE", Block: 0, Bit: 144, Len: 1, WrDis: 5, RdDis: none, Meaning: "flash regulator ignores the MTDI pin", Never: neverVoltage},

	{Name: "SPI_PAD_CONFIG_CLK", Block: 0, Bit: 160, Len: 5, WrDis: 6, RdDis: none, Meaning: "flash pin CLK", Never: neverPins},
	{Name: "SPI_PAD_CONFIG_Q", Block: 0, Bit: 165, Len: 5, WrDis: 6, RdDis: none, Meaning: "flash pin Q", Never: neverPins},
	{Name: "SPI_PAD_CONFIG_D", Block: 0, Bit: 170, Len: 5, WrDis: 6, RdDis: none, Meaning: "flash pin D", Never: neverPins},
	{Name: "SPI_PAD_CONFIG_CS0", Block: 0, Bit: 175, Len: 5, WrDis: 6, RdDis: none, Meaning: "flash pin CS0", Never: neverPins},
	{Name: "CHIP_VER_REV2", Block: 0, Bit: 180, Len: 1, WrDis: none, RdDis: none, Meaning: "major revision, bit 1", Never: neverFactory},
	{Name: "VOL_LEVEL_HP_INV", Block: 0, Bit: 182, Len: 2, WrDis: 3, RdDis: none, Meaning: "core voltage for the highest frequency", Never: neverFactory},
	{Name: "WAFER_VERSION_MINOR", Block: 0, Bit: 184, Len: 2, WrDis: none, RdDis: none, Meaning: "minor revision", Never: neverFactory},
	{Name: "FLASH_CRYPT_CONFIG", Block: 0, Bit: 188, Len: 4, WrDis: 10, RdDis: 3, Meaning: "which key bits the flash address changes",
		Irrevocably: "flash encryption tweaks its key with the address"},

	{Name: "CODING_SCHEME", Block: 0, Bit: 192, Len: 2, WrDis: 10, RdDis: 3, Meaning: "code of BLOCK1 to BLOCK3", Never: neverFactory},
	{Name: "CONSOLE_DEBUG_DISABLE", Block: 0, Bit: 194, Len: 1, WrDis: 15, RdDis: none, Meaning: "ROM BASIC is off",
		Irrevocably: "the ROM's BASIC console is gone"},
	{Name: "DISABLE_SDIO_HOST", Block: 0, Bit: 195, Len: 1, WrDis: none, RdDis: none, Meaning: "SDIO host is off",
		Irrevocably: "the SDIO host is off"},
	{Name: "ABS_DONE_0", Block: 0, Bit: 196, Len: 1, WrDis: 12, RdDis: none, Final: true, Meaning: "Secure Boot V1 is on",
		Irrevocably: "the chip starts only a bootloader with a digest made with its own key"},
	{Name: "ABS_DONE_1", Block: 0, Bit: 197, Len: 1, WrDis: 13, RdDis: none, Final: true, Meaning: "Secure Boot V2 is on (chip revision v3.0 and later)", Never: "Secure Boot V2 is not supported"},
	{Name: "JTAG_DISABLE", Block: 0, Bit: 198, Len: 1, WrDis: 14, RdDis: none, Final: true, Meaning: "JTAG is off",
		Irrevocably: "the debug port is closed"},
	{Name: "DISABLE_DL_ENCRYPT", Block: 0, Bit: 199, Len: 1, WrDis: 15, RdDis: none, Final: true, Meaning: "no encrypting in download mode",
		Irrevocably: "the chip no longer encrypts for a host in download mode"},
	{Name: "DISABLE_DL_DECRYPT", Block: 0, Bit: 200, Len: 1, WrDis: 15, RdDis: none, Final: true, Meaning: "no decrypting in download mode",
		Irrevocably: "the chip no longer decrypts for a host in download mode"},
	{Name: "DISABLE_DL_CACHE", Block: 0, Bit: 201, Len: 1, WrDis: 15, RdDis: none, Final: true, Meaning: "no flash cache in download mode",
		Irrevocably: "the flash cache is off in download mode"},
	{Name: "KEY_STATUS", Block: 0, Bit: 202, Len: 1, WrDis: 10, RdDis: 3, Meaning: "BLOCK3 is used as a key (reserved)", Never: neverUser},

	{Name: "BLOCK1", Block: 1, Bit: 0, Len: 256, WrDis: 7, RdDis: 0, Meaning: "flash encryption key",
		Irrevocably: "the slot for the flash encryption key is spent"},
	{Name: "BLOCK2", Block: 2, Bit: 0, Len: 256, WrDis: 8, RdDis: 1, Meaning: "Secure Boot key (V1) or public-key digest (V2)",
		Irrevocably: "the slot for the Secure Boot key is spent"},
	{Name: "BLOCK3", Block: 3, Bit: 0, Len: 256, WrDis: 9, RdDis: 2, Meaning: "the user's block", Never: neverUser},

	{Name: "CUSTOM_MAC_CRC", Block: 3, Bit: 0, Len: 8, WrDis: 9, RdDis: 2, Meaning: "CRC8 of the custom MAC", Never: neverUser},
	{Name: "CUSTOM_MAC", Block: 3, Bit: 8, Len: 48, WrDis: 9, RdDis: 2, Meaning: "custom MAC address", Never: neverUser},
	{Name: "ADC1_TP_LOW", Block: 3, Bit: 96, Len: 7, WrDis: 9, RdDis: 2, Meaning: "ADC1 at 150 mV", Never: neverFactory},
	{Name: "ADC1_TP_HIGH", Block: 3, Bit: 103, Len: 9, WrDis: 9, RdDis: 2, Meaning: "ADC1 at 850 mV", Never: neverFactory},
	{Name: "ADC2_TP_LOW", Block: 3, Bit: 112, Len: 7, WrDis: 9, RdDis: 2, Meaning: "ADC2 at 150 mV", Never: neverFactory},
	{Name: "ADC2_TP_HIGH", Block: 3, Bit: 119, Len: 9, WrDis: 9, RdDis: 2, Meaning: "ADC2 at 850 mV", Never: neverFactory},
	{Name: "SECURE_VERSION", Block: 3, Bit: 128, Len: 32, WrDis: 9, RdDis: 2, Meaning: "anti-rollback: the number of bits set", Never: neverUser},
	{Name: "MAC_VERSION", Block: 3, Bit: 184, Len: 8, WrDis: 9, RdDis: 2, Meaning: "1: BLOCK3 holds a custom MAC", Never: neverUser},
}
