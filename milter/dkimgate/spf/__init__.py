"""SPF (RFC 7208): what a record answers, and Received-SPF."""
