"""Training of the step-size policy with group-relative advantages."""
