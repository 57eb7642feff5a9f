"""Amazon's DynamoDB Local and ElasticMQ, on which `make test-engines` repeats tests."""
