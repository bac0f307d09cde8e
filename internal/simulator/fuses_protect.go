package simulator

// fuseGroup is a set of BLOCK0 bits: one mask for each of the seven words.
type fuseGroup [7]uint32

// frozenBy are the BLOCK0 bits that each WR_DIS bit freezes. Bits 7, 8 and 9
// freeze BLOCK1..3 and bit 11 nothing; bits that no group names stay burnable.
// Source: the efuse_wr_dis column of ESP-IDF's esp_efuse_table.csv, ESP32 TRM.
var frozenBy = [16]fuseGroup{
	0:  {0: 0x000F0000},                                              // RD_DIS
	1:  {0: 0x0000FFFF},                                              // WR_DIS
	2:  {0: 0x0FF00000},                                              // FLASH_CRYPT_CNT, UART_DOWNLOAD_DIS
	3:  {1: 0xFFFFFFFF, 2: 0x00FFFFFF, 3: 0x0000000B, 5: 0x00C00000}, // MAC, DISABLE_APP_CPU, DISABLE_BT, DIS_CACHE, VOL_LEVEL_HP_INV
	4:  {4: 0x00001FFF},                                              // CLK8M_FREQ, ADC_VREF
	5:  {4: 0x0001C000},                                              // XPD_SDIO_*
	6:  {5: 0x000FFFFF},                                              // SPI_PAD_CONFIG_*
	10: {3: 0x00004000, 5: 0xF0000000, 6: 0x00000403},                // BLK3_PART_RESERVE, FLASH_CRYPT_CONFIG, CODING_SCHEME, KEY_STATUS
	12: {6: 0x00000010},                                              // ABS_DONE_0
	13: {6: 0x00000020},                                              // ABS_DONE_1
	14: {6: 0x00000040},                                              // JTAG_DISABLE
	15: {6: 0x00000384},                                              // CONSOLE_DEBUG_DISABLE, DISABLE_DL_*
}

// hiddenByRdDis3 are the BLOCK0 bits that RD_DIS bit 3 makes read as zero.
var hiddenByRdDis3 = fuseGroup{3: 0x00004000, 5: 0xF0000000, 6: 0x00000403}

// burnable removes from want what the write protection wrDis refuses.
func burnable(want Fuses, wrDis uint32) Fuses {
	for bit, group := range frozenBy {
		if wrDis>>bit&1 == 0 {
			continue
		}
		for w, mask := range group {
			want[0][w] &^= mask
		}
	}
	for block := 1; block <= 3; block++ {
		if wrDis>>(6+block)&1 != 0 {
			want[block] = [8]uint32{}
		}
	}
	want[0][7] = 0
	return want
}

// readable is what the read registers show of the fuses, and the decode warnings
// of DEC_STATUS. A block that is read-protected shows zeros.
func readable(f Fuses) (shown Fuses, decStatus uint32) {
	shown = f
	if f.rdDis()>>3&1 != 0 {
		for w, mask := range hiddenByRdDis3 {
			shown[0][w] &^= mask
		}
	}
	for block := 1; block <= 3; block++ {
		if f.coding() == CodingThreeQuarters {
			var bad uint32
			shown[block], bad = decodeThreeQuarters(f[block])
			decStatus |= bad << (4 * (block - 1))
		}
		if f.blockHidden(block) {
			shown[block] = [8]uint32{}
		}
	}
	return shown, decStatus
}
