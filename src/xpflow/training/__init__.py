"""Training stages: pre-training of the micro models, self-alignment data, alignment and the step-size
policy."""
