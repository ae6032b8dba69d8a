"""Probes of flow: are mixed states read rightly, can a decode be rescued, and where do its states lie?"""
