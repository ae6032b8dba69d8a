"""Masking as a process in time: schedules and their orders, the bound, reverse sampling, mask noise.

Nothing here knows a data set. A denoiser is any function from a partially masked sentence to log p(x_i): a
trained model, or the oracle of a language (`xpflow.microtext`).
"""
