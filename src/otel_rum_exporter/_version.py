"""The version of the distribution; the build reads it here, since asking for that of what is installed takes 10 ms."""

VERSION = "0.1.0"
