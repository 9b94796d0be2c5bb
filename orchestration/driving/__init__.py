"""What the driver (`orchestration.driver`) is made of: scope, turn, steps, running work, the database's clock."""
