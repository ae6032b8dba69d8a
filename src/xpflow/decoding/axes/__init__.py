"""The axes of a decoder over tokens: which masks become tokens, what is revised, what the model sees."""
