package crc

import (
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

var table = crc64.MakeTable(crc64.ISO)

func TestUpdate(t *testing.T) {
	data := make([]byte, 1000)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	for n := range data {
		if got, want := Update(0, data[:n]), crc64.Checksum(data[:n], table); got != want {
			t.Fatalf("%d bytes: %016x, want %016x", n, got, want)
		}
	}
}

// FuzzUpdate takes data in two pieces.
func FuzzUpdate(f *testing.F) {
	f.Add([]byte("123456789"), 3)
	f.Add(make([]byte, 100), 64)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		at = min(max(at, 0), len(data))
		if got, want := Update(Update(0, data[:at]), data[at:]), crc64.Checksum(data, table); got != want {
			t.Fatalf("cut at %d of %d: %016x, want %016x", at, len(data), got, want)
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	data := make([]byte, 32<<10)
	b.Run("here", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			Update(0, data)
		}
	})
	b.Run("hash", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			crc64.Update(0, table, data)
		}
	})
}
