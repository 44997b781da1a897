"""What, about whom: an HTTP request in canonical form, through the route map, becomes an inquiry."""
