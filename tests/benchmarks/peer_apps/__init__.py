"""The same works on other durable engines, each in an environment of its own.

An `<peer>_app.py` imports nothing of this project but `protocol.py`, which says how it is asked.
"""
