package imapsync

import (
	"strings"
	"sync"
)

// maxCapSets bounds the sets that are kept: a server that announces something else each time is not worth more.
const maxCapSets = 1000

// capSets holds each set of capabilities once: thousands of connections to a few servers have the same ones.
type capSets struct {
	mu   sync.Mutex
	sets map[string]map[string]bool // by the names, sorted
}

// share returns the set that is equal to the given one and was first. The set must not be changed any more.
func (c *capSets) share(set map[string]bool) map[string]bool {
	if c == nil {
		return set
	}
	key := strings.Join(sortedKeys(set), " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.sets[key]; ok {
		return known
	}
	if c.sets == nil {
		c.sets = map[string]map[string]bool{}
	}
	if len(c.sets) < maxCapSets {
		c.sets[key] = set
	}
	return set
}
