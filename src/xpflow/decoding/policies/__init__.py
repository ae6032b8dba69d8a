"""Step-size policies of decoders that take one: hand-made and learned."""
