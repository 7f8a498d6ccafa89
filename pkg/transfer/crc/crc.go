// Package crc computes CRC-64 with the polynomial of ISO 3309 (x^64 + x^4 + x^3 + x + 1), the checksum that tar-split keeps of each
// file of a layer. It gives what hash/crc64 gives for crc64.ISO, several times as fast: with so few terms, taking 64 bits modulo the
// polynomial is some shifts, and no table is looked at.
package crc

import "encoding/binary"

// Update adds p to a checksum, which is 0 before the first byte.
//
// Bit 63-i of a word is the coefficient of x^i, so that a shift to the right by n multiplies by x^n.
func Update(sum uint64, p []byte) uint64 {
	sum = ^sum
	if len(p) >= 2*stride {
		n := len(p) &^ (stride - 1)
		sum, p = words(sum, p[:n]), p[n:]
	}
	for len(p) >= 8 {
		sum, p = next(sum^binary.LittleEndian.Uint64(p)), p[8:]
	}
	for _, b := range p {
		v := sum ^ uint64(b)
		sum = sum>>8 ^ next(v<<56)
	}
	return ^sum
}

// stride is how many bytes are taken at once: four words, each of which goes its own way, so that the processor need not wait for one
// to begin with the next.
const stride = 32

// words adds a multiple of stride bytes, two strides at least, to a remainder.
func words(sum uint64, p []byte) uint64 {
	a := binary.LittleEndian.Uint64(p) ^ sum
	b := binary.LittleEndian.Uint64(p[8:])
	c := binary.LittleEndian.Uint64(p[16:])
	d := binary.LittleEndian.Uint64(p[24:])
	for p = p[stride:]; len(p) >= stride; p = p[stride:] {
		q := (*[stride]byte)(p)
		a = far(a) ^ binary.LittleEndian.Uint64(q[:])
		b = far(b) ^ binary.LittleEndian.Uint64(q[8:])
		c = far(c) ^ binary.LittleEndian.Uint64(q[16:])
		d = far(d) ^ binary.LittleEndian.Uint64(q[24:])
	}
	return next(next(next(next(a)^b)^c) ^ d)
}

// next is v·x^64 modulo the polynomial, where x^64 is x^4 + x^3 + x + 1.
func next(v uint64) uint64 {
	return fold(v) ^ fold(v<<63^v<<61^v<<60)
}

// far is v·x^256: what x^64 is, to the fourth power, is x^16 + x^12 + x^4 + 1, which is (x^4 + 1)·(x^12 + 1).
func far(v uint64) uint64 {
	over := v << 60 // what goes beyond x^63
	v ^= v >> 4
	over ^= over>>12 ^ v<<52
	return v ^ v>>12 ^ fold(over)
}

// fold is v·(x^4 + x^3 + x + 1) without what goes beyond x^63.
func fold(v uint64) uint64 {
	v ^= v >> 1
	return v ^ v>>3
}
