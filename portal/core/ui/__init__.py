"""What the pages are made of: icons, formats, states, Markdown and JSON as safe HTML. Pure functions; no database, no request."""
