"""Template tags of every page: builtin libraries (`portal/settings.py`), so no page loads them. One file a subject.

What they draw is in templates/components; its README shows each.
"""
