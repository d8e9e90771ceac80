"""The wire format of `PutRumEvents`, and the only door to boto3."""
