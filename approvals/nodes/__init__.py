"""What the approvals desk brings to the engine: node types that ask people, and requests where a step has failed."""
