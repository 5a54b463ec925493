package imapsync

import (
	"runtime"
	"runtime/debug"
)

// apart runs f in a goroutine of its own and waits for it. A goroutine keeps the stack that its deepest call needed, and
// the ones that wait for mail are thousands, while those that compute are few at any time. So whatever goes deep (TLS, the
// database, a look at a folder) is run apart, and what waits for hours stands on a few kilobytes. A panic goes on in the
// caller as a *panicApart.
func apart(f func()) {
	over := make(chan struct{})
	var broken *panicApart
	left := true // by runtime.Goexit, which the tests' Fatal calls
	go func() {
		defer close(over)
		defer func() {
			if p := recover(); p != nil {
				broken, left = &panicApart{p, debug.Stack()}, false
			}
		}()
		f()
		left = false
	}()
	<-over
	switch {
	case broken != nil:
		panic(broken) //nolint:forbidigo // it was one before
	case left:
		runtime.Goexit()
	}
}

// panicApart is a panic that has left the goroutine it came about in.
type panicApart struct {
	value any
	stack []byte
}
