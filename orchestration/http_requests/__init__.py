"""What the node type `http` is made of: its settings, the request, and what the answer means."""
