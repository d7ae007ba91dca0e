"""S3 and DynamoDB as all services use them."""
