package simulator

// download is what a *_BEGIN command opened. There is one at a time.
type download struct {
	kind  byte   // opFlashBegin, opDeflateBegin, opMemBegin; 0: none
	next  uint32 // sequence number expected
	at    uint32 // address of the next byte
	block uint32 // longest block announced
	size  uint32 // bytes announced
	done  uint32 // bytes written

	blocks  uint32    // deflate: number of blocks announced
	stream  *inflater // deflate
	pending []byte    // deflate: inflated and not yet written
}

// open replaces the download under way.
func (l *loader) open(d download) {
	if l.down.stream != nil {
		l.down.stream.stop()
	}
	l.down = d
}

// nextBlock is the data of a *_DATA command, if it is the one expected and its
// checksum holds. A bad checksum uses up the sequence number.
func (l *loader) nextBlock(r request) (data []byte, errNo byte) {
	d := &l.down
	if d.kind == 0 || r.word(1) != d.next {
		return nil, romBadMessage
	}
	data, ok := r.payload()
	if !ok {
		return nil, romBadMessage
	}
	d.next++
	if romChecksum(data) != r.checksum {
		return nil, romBadChecksum
	}
	return data, romOK
}

// payload are the n data bytes of a *_DATA command, n being what its first word
// says: where the packet was shorter, left-overs of earlier ones stand in.
func (r request) payload() ([]byte, bool) {
	n := r.word(0)
	if n > uint32(len(r.body)-romDataHeader) {
		return nil, false
	}
	return r.body[romDataHeader : romDataHeader+int(n)], true
}

// romChecksum is the XOR that guards the data of *_DATA commands.
func romChecksum(data []byte) uint32 {
	return uint32(xor(romChecksumSeed, data))
}
