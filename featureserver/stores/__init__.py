"""Online stores behind `featureserver.ports`: Redis, and its twin in memory."""
