"""What pages are made of: icons, formats, states, Markdown and JSON as safe HTML. No database, no request."""
