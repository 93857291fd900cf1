"""What is written down in the warehouse: runs, rejects, leases, and the commit of accepted rows."""
