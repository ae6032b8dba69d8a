"""Tokens in Gaussian noise of any strength, and soft masks: modules, laws and steps that both sides share."""
