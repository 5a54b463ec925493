package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// distance stands between the program and the server and makes every octet take a while each way, as a real network
// does. It makes moves take long enough to be hit by a kill.
func distance(t *testing.T, addr string, oneWay time.Duration) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				_ = near.Close()
				continue
			}
			wg.Go(func() { carry(far, near, oneWay) })
			wg.Go(func() { carry(near, far, oneWay) })
		}
	})
	return ln.Addr().String()
}

type parcel struct {
	due time.Time
	b   []byte
}

// carry copies from src to dst, each piece late by the delay, and closes both ends when one of them is.
func carry(dst, src net.Conn, delay time.Duration) {
	defer func() { _ = dst.Close(); _ = src.Close() }()
	road := make(chan parcel, 4096)
	go func() {
		defer close(road)
		for {
			b := make([]byte, 16<<10)
			n, err := src.Read(b)
			if n > 0 {
				road <- parcel{time.Now().Add(delay), b[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range road {
		<-time.After(time.Until(p.due))
		if _, err := dst.Write(p.b); err != nil {
			_ = src.Close()
			go func() { _, _ = io.Copy(io.Discard, src) }()
			for range road { // lets the reader end
			}
			return
		}
	}
}
