"""Published models of tasks, one module for each family of tasks; `published` holds what users call."""
