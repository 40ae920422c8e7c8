"""Shipped fakes and contracts: for nbflow's own tests, and for whoever writes an adapter or a service on top."""
