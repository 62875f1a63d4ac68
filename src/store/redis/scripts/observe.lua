return {'record', text(us), redis.call('ZCARD', Q), flat}
