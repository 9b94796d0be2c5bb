"""The functions authors have besides CEL's own, one file a subject; `library.py` has them all."""
