"""The database backend of the web process (`base`, where Django looks for it)."""
