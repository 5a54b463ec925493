package inbound

// readAutoReply reads an automatic answer.
func (r *reader) readAutoReply() *AutoReply { return &AutoReply{} }
