"""Training: micro models from nothing, runs on own answers by an objective, and the step-size policy."""
