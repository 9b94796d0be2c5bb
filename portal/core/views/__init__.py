"""Pages of the core: one's own account, the audit ledger, what is said when something is refused."""
