"""Online features: packed rows in Redis, the materializer, the lookup and its HTTP app."""
