"""What may leave a secure server: policies, checks of tidy frames, and hiding what breaks a rule."""
