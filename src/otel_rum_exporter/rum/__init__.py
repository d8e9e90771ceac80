"""The wire format of `PutRumEvents`, and the only package that imports boto3."""
