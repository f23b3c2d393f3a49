"""The routes, a module per subject; each makes its router from the services."""
