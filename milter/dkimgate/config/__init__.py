"""What the operator wrote: dkimgate.yaml, secrets, credentials, and who may read them."""
