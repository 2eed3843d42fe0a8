//! What becomes of an open session when sshd's listener is killed.
