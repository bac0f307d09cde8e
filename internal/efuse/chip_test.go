package efuse

// blankChip is a fresh chip of revision v3.0 with a MAC.
func blankChip() (w Words) {
	w[0][1], w[0][2] = factoryMACWords([6]byte{0x24, 0x0a, 0xc4, 0xa1, 0xb2, 0xc3})
	w[0][3] = 1 << 15
	w[0][5] = 1 << 20
	return w
}

// fullyBurnt is what releaseGoal makes of a blank chip, as it reads.
func fullyBurnt() Words {
	w := blankChip()
	w[0] = join(w[0], [8]uint32{0: 0x0FF3D588, 5: 0xF0000000, 6: 0x000003D4})
	return w
}
